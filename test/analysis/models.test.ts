import { createMongoAbility, type MongoAbility } from '@casl/ability'
import fc from 'fast-check'
import t from 'tap'
import { comparisonsOf, readsRelated } from '../../src/analysis/comparisons.js'
import { type Domain, domainsOf } from '../../src/analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../../src/analysis/models.js'
import { caslRules } from '../../src/backends/casl.js'
import { askGate, buildAbility } from '../../src/engine/ability.js'
import { evaluateAtom, type Values } from '../../src/ir/evaluate.js'
import type { Atom, Condition } from '../../src/ir/formula.js'
import { GATES, type Gate, gateConditions, gateOpen } from '../../src/ir/gates.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { canonical, type Scalar, type Value } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const MAX_MODELS = 4_000n

interface Case {
  readonly principal: Values
  readonly row: Values
  readonly now: number | bigint | null
}

/** Random policies whose gates are small, and all models of each such gate. */
function* smallGates(wanted: number) {
  // random policies differ in how many of their gates are small, so gates are counted and not policies
  for (let n = 0, found = 0; found < wanted; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    const resource = bundle?.resources.find(({ name }) => name === 'thing')
    if (bundle === null || resource === undefined) continue
    for (const gate of GATES) {
      if (gateConditions(resource, gate).some(readsRelated)) continue
      const domains = domainsOf(resource, gateConditions(resource, gate).flatMap(comparisonsOf))
      if (spaceOf(domains).size > MAX_MODELS) continue
      found++
      yield { seed: SEED + n, bundle, resource, gate, domains }
    }
  }
}

function casesOf(domains: readonly Domain[]): readonly Case[] {
  const space = spaceOf(domains)
  const [who, what]: Record<string, Value>[] = [{}, {}]
  const cases: Case[] = []
  if (who === undefined || what === undefined) return cases
  for (const part of principalsOf(space, who)) {
    forEachRow(space, part, what, () =>
      cases.push({ principal: { ...who }, row: { ...what }, now: part.now })
    )
  }
  return cases
}

function atomsOf(condition: Condition): readonly Atom[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(atomsOf)
    case 'not':
    case 'exists':
      return atomsOf(condition.of)
    case 'atom':
      return [condition.atom]
  }
}

function truthsOf(atoms: readonly Atom[], { principal, row, now }: Case): string {
  const at = now === null ? { principal, row } : { principal, row, now }
  return atoms.map(atom => evaluateAtom(atom, at)).join()
}

t.test('there are as many models as were counted, and no two are the same', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  let gates = 0
  for (const { domains, seed } of smallGates(50)) {
    const cases = casesOf(domains)
    const different = new Set(cases.map(textOf))
    if (BigInt(cases.length) !== spaceOf(domains).size) t.fail(`seed ${seed}: ${cases.length} models`)
    if (different.size !== cases.length) t.fail(`seed ${seed}: a model comes twice`)
    gates++
  }
  t.ok(gates > 20, `${gates} gates`)
})

/** JSON has neither infinity nor wide integers. */
function textOf(one: Case): string {
  return JSON.stringify(one, (_, value) =>
    typeof value === 'bigint' || typeof value === 'number' ? `number ${value}` : value
  )
}

t.test('what the atoms are in any case, they are in some model', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  let asked = 0
  for (const { seed, bundle, resource, gate, domains } of smallGates(50)) {
    const atoms = gateConditions(resource, gate).flatMap(atomsOf)
    const realised = new Set(casesOf(domains).map(one => truthsOf(atoms, one)))
    for (const one of randomCases(bundle, resource, seed)) {
      asked++
      const truths = truthsOf(atoms, one)
      if (!realised.has(truths)) t.fail(`seed ${seed} ${gate}: ${truths}`)
    }
  }
  t.ok(asked > 1_000, `${asked} random cases`)
})

function randomCases(bundle: Bundle, resource: Resource, seed: number): readonly Case[] {
  const both = fc.tuple(principal, row, fc.integer({ min: 0, max: 3e15 }))
  return fc.sample(both, { seed, numRuns: 100 }).map(([who, what, now]) => ({
    principal: canonicalOf(bundle.principal, who),
    row: canonicalOf(resource.columns, { ...what, id: '00000000-0000-0000-0000-00000000000b' }),
    now
  }))
}

function canonicalOf(declared: Resource['columns'] | Bundle['principal'], given: object): Values {
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
    for (const { seed, bundle, resource, gate, domains } of smallGates(500)) {
      const rename = renaming(domains)
      const decides = sidesOf(bundle, resource, gate)
      for (const one of casesOf(domains)) {
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
  const one = (value: Scalar | null) => (value === null ? null : (rename.get(value) ?? value))
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(one) : one(value as Scalar | null)
    ])
  )
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
