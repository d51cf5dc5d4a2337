import fc from 'fast-check'
import t from 'tap'
import { evaluate, type Values } from '../../src/ir/evaluate.js'
import { changedColumns, columnBar, gateOpen } from '../../src/ir/gates.js'
import { type Bundle, type Column, type Invariant, type Resource, resourceOf } from '../../src/ir/model.js'
import { canonical } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import { linkRow, parentRow, policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const POLICIES = Number(process.env['TWINRULE_POLICIES'] ?? 40)
const NOW = 1_700_000_000_000_000

const DEMANDS = `
invariants:
  - never: { action: update, when: 'resource.u != principal.tenant_id && resource.v == principal.id', resources: [thing] }
  - never: { action: create, when: 'resource.b && resource.m == "private"', resources: [thing] }
  - possible: { action: update, when: 'resource.u == principal.tenant_id && resource.t == "a"', resources: [thing] }
  - unchanged: { columns: [u, t], unless: 'principal.is_platform_admin', resources: [thing] }
  - only_when: { changes: [us, b], when: 'resource.u == principal.tenant_id', resources: [thing] }
  - never: { action: read, when: 'resource.links.exists(l, l.t == "a") && resource.b', resources: [thing] }
  - possible: { action: read, when: 'resource.parent.exists(x, x.b) && resource.u == null', resources: [thing] }
  - only_when: { changes: [p, t], when: 'resource.parent.can("read")', resources: [thing] }
`

function canonicalOf(columns: readonly Pick<Column, 'name' | 'type'>[], given: object): Values {
  const values: Record<string, unknown> = { ...given }
  return Object.fromEntries(
    columns.map(({ name, type }) => {
      const value = canonical(type, values[name])
      if (!value.ok) throw new Error(value.problem)
      return [name, value.value]
    })
  )
}

/** Whether one update or create is what an invariant speaks about, straight from the definition. */
function met(resource: Resource, invariant: Invariant, who: Values, old: Values, next: Values): boolean {
  const [before, after] = [
    { principal: who, row: old, now: NOW },
    { principal: who, row: next, now: NOW }
  ]
  if (invariant.kind !== 'only_when' && (invariant.action === 'create' || invariant.action === 'read')) {
    const truth = evaluate(invariant.when, after)
    const wanted = invariant.kind === 'never' ? truth !== false : truth === true
    return gateOpen(resource, invariant.action, after) && wanted
  }
  const changed = changedColumns(resource, old, next)
  if (!gateOpen(resource, 'update', before) || !gateOpen(resource, 'update_new', after)) return false
  if (columnBar(resource, changed, before) !== null) return false
  const truths = [evaluate(invariant.when, before), evaluate(invariant.when, after)]
  if (invariant.kind === 'never') return truths.some(truth => truth !== false)
  if (invariant.kind !== 'only_when') return truths.some(truth => truth === true)
  return truths[0] !== true && invariant.columns.some(column => changed.includes(column))
}

const ID = '00000000-0000-0000-0000-00000000000a'

/** The rows that belong to a row by its keys: of one parent per key, and of its own links. */
function related(
  resource: Resource,
  row: Values,
  parents: readonly object[],
  links: readonly object[]
): Values {
  const of = (name: string, rows: readonly object[]) => {
    const columns = resource.relations.find(one => one.name === name)?.columns ?? []
    return rows.map(one => canonicalOf(columns, one))
  }
  const parent = parents[String(row['p']).charCodeAt(35) % 3]
  return {
    ...row,
    parent: parent === undefined || row['p'] === null ? [] : of('parent', [{ ...parent, id: row['p'] }]),
    links: of(
      'links',
      links.map(one => ({ ...one, thing_id: ID }))
    )
  } as Values
}

/** Whether random cases meet an invariant. Most new rows differ from the old one in a few columns. */
function sampled(bundle: Bundle, resource: Resource, invariant: Invariant, seed: number): boolean {
  const names = resource.columns.map(({ name }) => name).filter(name => name !== 'id')
  const some = fc.tuple(fc.array(parentRow, { maxLength: 3 }), fc.array(linkRow, { maxLength: 3 }))
  const cases = fc.sample(fc.tuple(principal, row, row, fc.subarray(names, { maxLength: 3 }), some), {
    seed,
    numRuns: 400
  })
  return cases.some(([given, one, other, columns, [parents, links]]) => {
    const who = canonicalOf(bundle.principal, given)
    const old = canonicalOf(resource.columns, { ...one, id: ID })
    const whole = canonicalOf(resource.columns, { ...other, id: ID })
    const partly = { ...old, ...Object.fromEntries(columns.map(name => [name, whole[name] ?? null])) }
    const withRows = (row: Values) => related(resource, row, parents, links)
    return [old, partly, whole].some(next => met(resource, invariant, who, withRows(old), withRows(next)))
  })
}

t.test('what is proved of random policies holds in random cases', t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const verdicts = new Map<string, number>()
  let tried = 0
  for (let n = 0; tried < POLICIES; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text, 'demands.yaml': `version: 1${DEMANDS}` })
    const resource = bundle === null ? undefined : resourceOf(bundle, 'thing')
    if (bundle === null || resource === undefined) continue
    tried++
    // a case that is found is asked again by the definition, or the proof throws
    for (const [i, { kind, verdict }] of proveInvariants(bundle, 20_000).entries()) {
      verdicts.set(`${kind} ${verdict}`, (verdicts.get(`${kind} ${verdict}`) ?? 0) + 1)
      const invariant = bundle.invariants[i]
      const none = kind === 'possible' ? 'refuted' : 'proved'
      if (invariant === undefined || verdict !== none) continue
      if (sampled(bundle, resource, invariant, SEED + n)) {
        throw new Error(`seed ${SEED + n}: ${kind} ${verdict}\n${text}\n${JSON.stringify(invariant)}`)
      }
    }
  }
  t.comment(JSON.stringify(Object.fromEntries(verdicts)))
  for (const one of [
    'never proved',
    'never refuted',
    'possible proved',
    'only_when proved',
    'only_when refuted'
  ]) {
    t.ok(verdicts.has(one), one)
  }
  t.end()
})
