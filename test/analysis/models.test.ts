import { createMongoAbility, type MongoAbility } from '@casl/ability'
import fc from 'fast-check'
import t from 'tap'
import { comparisonsOf, relationsOf } from '../../src/analysis/comparisons.js'
import type { RelatedLists } from '../../src/analysis/counting.js'
import { type Domain, domainsOf } from '../../src/analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../../src/analysis/models.js'
import { besideOf, listsBeside } from '../../src/analysis/related.js'
import { caslRules } from '../../src/backends/casl.js'
import { askGate, buildAbility } from '../../src/engine/ability.js'
import { evaluateAtom, type Related, type Values } from '../../src/ir/evaluate.js'
import type { Atom, Condition, Relation } from '../../src/ir/formula.js'
import { GATES, type Gate, gateConditions, gateOpen } from '../../src/ir/gates.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { canonical, type Scalar, type Value } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { listsOf } from '../../src/prove/lists.js'
import { linkRow, parentRow, policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const MAX_MODELS = 4_000n

interface Case {
  readonly principal: Values
  readonly row: Values
  readonly now: number | bigint | null
}

interface SmallGate {
  readonly seed: number
  readonly bundle: Bundle
  readonly resource: Resource
  readonly gate: Gate
  readonly domains: readonly Domain[]
  readonly lists: readonly RelatedLists[]
}

/** Random policies whose gates are small, and all models of each such gate. */
function* smallGates(wanted: number, isWanted: (gate: SmallGate) => boolean = () => true) {
  // random policies differ in how many of their gates are small, so gates are counted and not policies
  for (let n = 0, found = 0; found < wanted; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    const resource = bundle?.resources.find(({ name }) => name === 'thing')
    if (bundle === null || resource === undefined) continue
    for (const gate of GATES) {
      const domains = domainsOf(resource, gateConditions(resource, gate).flatMap(comparisonsOf))
      const lists = listsOf(resource, gate, [])
      const small = { seed: SEED + n, bundle, resource, gate, domains, lists }
      if (spaceOf(domains, lists).size > MAX_MODELS || !isWanted(small)) continue
      found++
      yield small
    }
  }
}

/** Every model, with all related rows apart from each other. */
function casesOf({ resource, domains, lists }: SmallGate): readonly Case[] {
  const space = spaceOf(domains, lists)
  const keyOf = (name: string) => resource.relations.find(one => one.name === name)?.remote ?? ''
  const beside = besideOf(space, {
    // every related row has its key
    empty: relation => ({ [keyOf(relation)]: '00000000-0000-0000-0000-00000000000b' }),
    signature: () => () => one => textOf(one)
  })
  const [who, what]: [Record<string, Value>, Record<string, Values[string]>] = [{}, {}]
  const cases: Case[] = []
  for (const part of principalsOf(space, who)) {
    const visit = () => cases.push({ principal: { ...who }, row: { ...what }, now: part.now })
    forEachRow(space, part, what, visit, listsBeside(beside, who, part))
  }
  return cases
}

/** The atoms of a condition on the row itself. */
function atomsOf(condition: Condition): readonly Atom[] {
  switch (condition.kind) {
    case 'const':
    case 'exists':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(atomsOf)
    case 'not':
      return atomsOf(condition.of)
    case 'atom':
      return [condition.atom]
  }
}

function existsIn(condition: Condition): readonly (Condition & { kind: 'exists' })[] {
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(existsIn)
    case 'not':
      return existsIn(condition.of)
    case 'exists':
      return [condition]
  }
}

/** What each atom is: of the row, and of each related row; its own read rules are asked of it as a row. */
function truthsOf(conditions: readonly Condition[], { principal, row, now }: Case): string {
  const at = now === null ? { principal, row } : { principal, row, now }
  const own = conditions.flatMap(atomsOf).map(atom => evaluateAtom(atom, at))
  const related = conditions.flatMap(existsIn).map(({ relation, of }) => {
    const { allow = [], forbid = [] } = relation.readable ?? {}
    const seen = (one: Related) => [
      ...atomsOf(of).map(atom => evaluateAtom(atom, { ...at, related: one })),
      ...[...allow, ...forbid].flatMap(atomsOf).map(atom => evaluateAtom(atom, { ...at, row: one }))
    ]
    const list = (row[relation.name] ?? []) as readonly Related[]
    return [...new Set(list.map(one => seen(one).join()))].sort().join(';')
  })
  return [...own, ...related].join('|')
}

t.test('there are as many models as were counted, and no two are the same', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  let gates = 0
  for (const small of smallGates(50)) {
    const { seed, domains, lists } = small
    const cases = casesOf(small)
    const different = new Set(cases.map(textOf))
    if (BigInt(cases.length) !== spaceOf(domains, lists).size) t.fail(`seed ${seed}: ${cases.length} models`)
    if (different.size !== cases.length) t.fail(`seed ${seed}: a model comes twice`)
    gates++
  }
  t.ok(gates > 20, `${gates} gates`)
})

/** JSON has neither infinity nor wide integers. */
function textOf(one: object): string {
  return JSON.stringify(one, (_, value) =>
    typeof value === 'bigint' || typeof value === 'number' ? `number ${value}` : value
  )
}

t.test('what the atoms are in any case, they are in some model', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  let [asked, withRelated] = [0, 0]
  const some = [...smallGates(50), ...smallGates(25, ({ lists }) => lists.some(({ most }) => most > 0))]
  for (const small of some) {
    const conditions = gateConditions(small.resource, small.gate)
    const realised = new Set(casesOf(small).map(one => truthsOf(conditions, one)))
    for (const one of randomCases(small)) {
      asked++
      if (Object.values(one.row).some(list => Array.isArray(list) && typeof list[0] === 'object'))
        withRelated++
      const truths = truthsOf(conditions, one)
      if (!realised.has(truths)) t.fail(`seed ${small.seed} ${small.gate}: ${truths}`)
    }
  }
  t.ok(asked > 1_000, `${asked} random cases`)
  t.ok(withRelated > 500, `${withRelated} of them with related rows`)
})

/** Random cases with as many related rows as a model has. */
function randomCases({ bundle, resource, seed, gate, lists }: SmallGate): readonly Case[] {
  const relations = new Set(gateConditions(resource, gate).flatMap(relationsOf))
  const related = fc.tuple(fc.array(parentRow, { maxLength: 2 }), fc.array(linkRow, { maxLength: 2 }))
  const both = fc.tuple(principal, row, fc.integer({ min: 0, max: 3e15 }), related)
  const listOf = (relation: Relation, rows: readonly object[]) => {
    const most = lists.find(one => one.relation === relation.name)?.most ?? 0
    const key = { [relation.remote]: '00000000-0000-0000-0000-00000000000b' }
    return rows.slice(0, most).map(one => canonicalOf(relation.columns, { ...one, ...key }))
  }
  return fc.sample(both, { seed, numRuns: 100 }).map(([who, what, now, [parents, links]]) => ({
    principal: canonicalOf(bundle.principal, who),
    row: {
      ...canonicalOf(resource.columns, { ...what, id: '00000000-0000-0000-0000-00000000000b' }),
      ...Object.fromEntries(
        [...relations].map(one => [one.name, listOf(one, one.name === 'parent' ? parents : links)])
      )
    } as Values,
    now
  }))
}

function canonicalOf(declared: Resource['columns'] | Bundle['principal'], given: object): Related {
  return Object.fromEntries(
    declared.map(({ name, type }) => {
      const result = canonical(type, (given as Record<string, unknown>)[name])
      if (!result.ok) throw new Error(result.problem)
      return [name, result.value]
    })
  )
}

t.test(
  'no side looks into a value that no rule names: other values in their place change nothing',
  async t => {
    t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
    let compared = 0
    for (const small of smallGates(500)) {
      const { seed, bundle, resource, gate } = small
      const rename = renaming(small.domains)
      const decides = sidesOf(bundle, resource, gate)
      for (const one of casesOf(small)) {
        const other = {
          principal: renamed(one.principal, rename),
          row: renamed(one.row, rename),
          now: one.now
        }
        compared++
        const [before, after] = [decides(one), decides(other)]
        if (before !== after) t.fail(`seed ${seed} ${gate}: ${before} became ${after}`)
      }
      if (compared > 20_000) break
    }
    t.ok(compared > 1_000, `${compared} models`)
  }
)

/** Values that would show a side which looks into them: operators, names of properties, numbers beyond 2^53. */
const STRANGE: readonly Scalar[] = [
  '$ne',
  '__proto__',
  'constructor',
  '',
  'NULL',
  '{"$in":[]}',
  '*',
  '%',
  "'",
  '\\'
]

function renaming(domains: readonly Domain[]): ReadonlyMap<Scalar, Scalar> {
  const literals = new Set(domains.flatMap(({ values, named }) => values.slice(0, named)))
  const fresh = domains.flatMap(({ values, named, variables }) =>
    variables.some(({ type }) => (type.kind === 'set' ? type.of : type).kind === 'enum')
      ? []
      : values.slice(named)
  )
  return new Map(fresh.map((value, i) => [value, strangeFor(value, i, literals)]))
}

function strangeFor(value: Scalar, i: number, literals: ReadonlySet<Scalar>): Scalar {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string') return 2n ** 60n + BigInt(i)
  if (value.startsWith('0000')) return `ffffffff-ffff-4fff-bfff-${String(i).padStart(12, '0')}`
  const strange = STRANGE[i]
  return strange === undefined || literals.has(strange) ? `$strange ${i}` : strange
}

function renamed(values: Values, rename: ReadonlyMap<Scalar, Scalar>): Values {
  const one = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(one)
    if (typeof value === 'object' && value !== null) return renamed(value as Related, rename)
    return rename.get(value as Scalar) ?? value
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, one(value)])) as Values
}

function sidesOf(bundle: Bundle, resource: Resource, gate: Gate): (one: Case) => string {
  const ability = buildAbility(bundle)
  return ({ principal, row, now }) => {
    const stock: MongoAbility = createMongoAbility(
      caslRules(bundle, principal, now) as unknown as MongoAbility['rules'],
      { detectSubjectType: () => resource.name }
    )
    const at = now === null ? { principal, row } : { principal, row, now }
    const asked = { type: resource.name, principal, row, now }
    return [gateOpen(resource, gate, at), stock.can(gate, row), askGate(ability, gate, asked).open].join()
  }
}
