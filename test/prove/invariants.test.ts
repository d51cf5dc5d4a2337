import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import type { Bundle } from '../../src/ir/model.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import { prove } from '../../src/prove/prove.js'
import type { InvariantProof } from '../../src/prove/report.js'
import { bundleOf } from './policies.js'

const MANY = 2_000_000

/** A policy of notes that belong to tenants and are shared, with whatever else a test is about. */
function notes(invariant: string, parts: { readonly more?: string; readonly owner?: string } = {}): Bundle {
  const { more = '', owner = '{ allow: [read, create, update, delete], when: mine }' } = parts
  return bundleOf(`version: 1
enums: { mode: [private, global] }
actions: { publish: { command: update }, print: {} }
principal: { id: uuid, tenant_id: uuid, roles: set<text>, is_admin: { type: bool, role: authz_admin } }
macros:
  mine: resource.tenant_id == principal.tenant_id
  admin: principal.is_admin
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, mode: mode!, shared_with: set<uuid>, level: int, title: text! }
    immutable: [id]
${more}    rules:
      admin: { allow: [read, update], when: admin }
      owner: ${owner}
      shared: { allow: [read, update], when: principal.tenant_id in resource.shared_with, check: principal.tenant_id in resource.shared_with }
      global: { allow: [read], when: resource.mode == "global" }
invariants:
  - ${invariant}
`)
}

function only(bundle: Bundle, maxModels = MANY): InvariantProof {
  const [proof] = proveInvariants(bundle, maxModels)
  if (proof === undefined) throw new Error('no invariant')
  return proof
}

/** The decision on a counterexample, as an application would ask for it. */
function replayed(bundle: Bundle, { action, resource, counterexample }: InvariantProof): boolean {
  if (counterexample === null) throw new Error('no counterexample')
  const { principal, row, next, changed, now } = counterexample
  const { id, ...properties } = principal
  const changes = Object.fromEntries(changed.map(column => [column, next?.[column]]))
  const clock = now === null ? {} : { clock: () => Date.parse(now) * 1000 }
  const answer = createEngine(bundle, clock).decide({
    subject: { type: 'user', id: String(id), properties },
    action: { name: action ?? 'update', properties: next === null ? {} : { changes } },
    resource: { type: resource, id: String(row['id']), properties: row }
  })
  return answer.decision
}

const ONLY_ADMIN_MOVES = '    column_rules: [{ columns: [tenant_id], when: admin }]\n'
const OWNER_SHARES = '    column_rules: [{ columns: [shared_with], when: mine || admin }]\n'

t.test('an owner who may give a row away refutes `unchanged`; a column rule proves it', t => {
  const demand = 'unchanged: { columns: [tenant_id], unless: admin }'
  // a check that asks for a tenant of the row, but not for the same one
  const owner = '{ allow: [read, update], when: mine, check: resource.tenant_id != null }'
  const loose = notes(demand, { owner })
  const refuted = only(loose)
  t.match(refuted, { verdict: 'refuted', kind: 'only_when', columns: ['tenant_id'], action: null })
  t.match(refuted.at, /^policy\.yaml:\d+:\d+$/)
  t.ok(refuted.counterexample?.changed.includes('tenant_id'))
  t.equal(refuted.counterexample?.row['tenant_id'], refuted.counterexample?.principal['tenant_id'])
  t.not(refuted.counterexample?.next?.['tenant_id'], refuted.counterexample?.row['tenant_id'])
  t.ok(replayed(loose, refuted), 'the engine allows it')
  const strict = only(notes(demand, { owner, more: ONLY_ADMIN_MOVES }))
  t.match(strict, { verdict: 'proved', counterexample: null })
  t.end()
})

t.test('a tenant that adds itself to shared_with refutes `only_when`; a column rule proves it', t => {
  const demand = 'only_when: { changes: [shared_with], when: mine || admin }'
  const loose = notes(demand)
  const refuted = only(loose)
  t.match(refuted, { verdict: 'refuted', counterexample: { changed: /shared_with/ } })
  t.ok(replayed(loose, refuted))
  t.match(only(notes(demand, { more: OWNER_SHARES })), { verdict: 'proved' })
  t.end()
})

t.test('immutable columns never change', t => {
  t.match(only(notes('unchanged: { columns: [id] }')), { verdict: 'proved' })
  const loose = notes('unchanged: { columns: [title] }')
  const refuted = only(loose)
  t.match(refuted, { verdict: 'refuted', counterexample: { changed: ['title'] } })
  t.ok(replayed(loose, refuted))
  t.match(only(notes('unchanged: { columns: [id, title] }')), { verdict: 'refuted' })
  t.end()
})

t.test('`never` of an action on one row', t => {
  const foreign =
    '!admin && resource.tenant_id != principal.tenant_id && resource.mode == "private" && principal.tenant_id not in resource.shared_with'
  t.match(only(notes(`never: { action: delete, when: '${foreign}' }`)), { verdict: 'proved' })
  for (const action of ['read', 'create', 'delete']) {
    const demand = `never: { action: ${action}, when: 'resource.mode == "private"' }`
    const bundle = notes(demand)
    const proof = only(bundle)
    t.match(proof, { verdict: 'refuted', action, counterexample: { next: null, changed: [] } })
    t.equal(proof.counterexample?.row['mode'], 'private')
    t.ok(replayed(bundle, proof), action)
  }
  t.end()
})

t.test('what may hold counts: a null does not hide a violation', t => {
  const demand = "never: { action: read, when: 'resource.level > 5' }"
  const bundle = notes(demand, {
    owner: '{ allow: [read], when: mine && (resource.level == null || resource.level <= 5) }'
  })
  const proof = only(bundle)
  t.match(proof, { verdict: 'refuted', counterexample: { row: { level: null } } })
  t.ok(replayed(bundle, proof))
  t.end()
})

t.test(
  'an update whose check is too wide refutes `never`; the new row counts, and so does the old one',
  t => {
    const demand = `never: { action: update, when: '!admin && resource.mode == "global"' }`
    const owned = (check: string) =>
      notes(demand, {
        owner: `{ allow: [read, update], when: 'mine && resource.mode == "private"', ${check} }`
      })
    const shared = `      quiet: { forbid: [update], when: 'principal.tenant_id in resource.shared_with && !admin' }\n`
    t.ok(shared)
    const wide = owned('check: mine')
    const refuted = only(wide)
    t.equal(refuted.verdict, 'refuted')
    t.ok(refuted.counterexample?.next)
    t.ok(replayed(wide, refuted))
    t.end()
  }
)

t.test('column rules count for `never` of an update', t => {
  const owner = `{ allow: [read, update], when: 'mine && resource.mode == "private"', check: mine }`
  const rows = (more: string) => {
    const bundle = notes(`never: { action: update, when: 'resource.mode == "global" && mine && !admin' }`, {
      owner,
      more
    })
    // other rules would open other ways
    const [note] = bundle.resources
    if (note === undefined) throw new Error('no resource')
    const rules = note.rules.filter(({ id }) => id === 'owner' || id === 'global')
    return { ...bundle, resources: [{ ...note, rules }] }
  }
  const refuted = only(rows(''))
  t.match(refuted, {
    verdict: 'refuted',
    counterexample: { row: { mode: 'private' }, next: { mode: 'global' } }
  })
  t.ok(replayed(rows(''), refuted))
  t.match(only(rows('    column_rules: [{ columns: [mode], when: admin }]\n')), { verdict: 'proved' })
  t.end()
})

t.test('`possible` is refuted where it is vacuous', t => {
  t.match(only(notes("possible: { action: read, when: 'resource.tenant_id != principal.tenant_id' }")), {
    verdict: 'proved'
  })
  t.match(only(notes("possible: { action: delete, when: 'resource.tenant_id != principal.tenant_id' }")), {
    verdict: 'refuted',
    counterexample: null
  })
  t.match(only(notes('possible: { action: update, when: \'resource.mode == "global"\' }')), {
    verdict: 'proved'
  })
  t.match(only(notes("possible: { action: print, when: 'true' }")), { verdict: 'refuted' })
  t.end()
})

t.test('added actions ask their own gate and that of their command', t => {
  t.match(only(notes("never: { action: publish, when: 'true' }")), { verdict: 'proved' })
  const more = (bundle: Bundle): Bundle => {
    const [note] = bundle.resources
    const admin = note?.rules.find(({ id }) => id === 'admin')
    if (note === undefined || admin === undefined) throw new Error('no rule')
    return {
      ...bundle,
      resources: [
        { ...note, rules: [...note.rules, { ...admin, id: 'printer', actions: ['publish', 'print'] }] }
      ]
    }
  }
  for (const action of ['publish', 'print']) {
    const bundle = more(notes(`never: { action: ${action}, when: 'true' }`))
    const proof = only(bundle)
    t.match(proof, { verdict: 'refuted', counterexample: { principal: { is_admin: true } } })
    t.ok(replayed(bundle, proof), action)
  }
  t.end()
})

t.test('too many cases are said to be too many', t => {
  for (const demand of [
    "never: { action: read, when: 'resource.level > 5' }",
    'unchanged: { columns: [id] }',
    "possible: { action: delete, when: 'resource.tenant_id != principal.tenant_id' }"
  ]) {
    t.match(only(notes(demand), 3), { verdict: 'not proved: too large', counterexample: null }, demand)
  }
  const exact = only(notes('unchanged: { columns: [id] }'))
  t.match(only(notes('unchanged: { columns: [id] }'), exact.models - 1), { verdict: 'not proved: too large' })
  t.end()
})

t.test('the verdict of a proof is that of its invariants too', async t => {
  const report = await prove(notes('unchanged: { columns: [title] }'))
  t.equal(report.verdict, 'refuted')
  t.ok(report.resources.every(({ verdict }) => verdict === 'proved'))
  t.equal(report.invariants.length, 1)
})
