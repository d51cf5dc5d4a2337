import fc from 'fast-check'
import t from 'tap'
import { evaluate, type Values } from '../../src/ir/evaluate.js'
import { changedColumns, columnBar, gateOpen } from '../../src/ir/gates.js'
import { type Bundle, type Column, type Invariant, type Resource, resourceOf } from '../../src/ir/model.js'
import { canonical } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import { policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const POLICIES = Number(process.env['TWINRULE_POLICIES'] ?? 60)
const NOW = 1_700_000_000_000_000

const DEMANDS = `
invariants:
  - never: { action: update, when: 'resource.u != principal.tenant_id && resource.v == principal.id', resources: [thing] }
  - never: { action: create, when: 'resource.b && resource.m == "private"', resources: [thing] }
  - possible: { action: update, when: 'resource.u == principal.tenant_id && resource.t == "a"', resources: [thing] }
  - unchanged: { columns: [u, t], unless: 'principal.is_platform_admin', resources: [thing] }
  - only_when: { changes: [us, b], when: 'resource.u == principal.tenant_id', resources: [thing] }
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
  if (invariant.kind !== 'only_when' && invariant.action === 'create') {
    return gateOpen(resource, 'create', after) && evaluate(invariant.when, after) !== false
  }
  const changed = changedColumns(resource, old, next)
  if (!gateOpen(resource, 'update', before) || !gateOpen(resource, 'update_new', after)) return false
  if (columnBar(resource, changed, before) !== null) return false
  const truths = [evaluate(invariant.when, before), evaluate(invariant.when, after)]
  if (invariant.kind === 'never') return truths.some(truth => truth !== false)
  if (invariant.kind !== 'only_when') return truths.some(truth => truth === true)
  return truths[0] !== true && invariant.columns.some(column => changed.includes(column))
}

/** Whether random cases meet an invariant. Most new rows differ from the old one in a few columns. */
function sampled(bundle: Bundle, resource: Resource, invariant: Invariant, seed: number): boolean {
  const names = resource.columns.map(({ name }) => name).filter(name => name !== 'id')
  const cases = fc.sample(fc.tuple(principal, row, row, fc.subarray(names, { maxLength: 3 })), {
    seed,
    numRuns: 400
  })
  const id = { id: '00000000-0000-0000-0000-00000000000a' }
  return cases.some(([given, one, other, columns]) => {
    const who = canonicalOf(bundle.principal, given)
    const old = canonicalOf(resource.columns, { ...one, ...id })
    const whole = canonicalOf(resource.columns, { ...other, ...id })
    const some = { ...old, ...Object.fromEntries(columns.map(name => [name, whole[name] ?? null])) }
    return [old, some, whole].some(next => met(resource, invariant, who, old, next))
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
    if (bundle === null || resource === undefined || /exists|can\(/.test(text.slice(text.indexOf('thing:'))))
      continue
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
