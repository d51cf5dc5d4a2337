import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import type { Bundle } from '../../src/ir/model.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import { prove } from '../../src/prove/prove.js'
import type { InvariantProof } from '../../src/prove/report.js'
import { bundleOf } from './policies.js'
import { requestOf } from './replay.js'

const policy = (parts: { readonly rules?: string; readonly more?: string; readonly demand: string }) =>
  bundleOf(`version: 1
principal: { id: uuid, tenant_id: uuid, roles: set<text> }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid!, is_open: bool! }
    rules:
      owner: { allow: [read], when: mine }
      open: { allow: [read], when: resource.is_open }
  file:
    table: files
    columns: { id: uuid!, tenant_id: uuid!, folder_id: uuid, is_open: bool!, title: text }
    relations:
      folder: { one: folder }
      shares: { many: file_shares, columns: { tenant_id: uuid, level: text } }
${parts.more ?? ''}    rules:
      owner: { allow: [read, update], when: mine }
      open: { allow: [read], when: resource.is_open }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.tenant_id == principal.tenant_id)' }
${parts.rules ?? ''}
invariants:
  - ${parts.demand}
`)

function proofOf(bundle: Bundle, maxModels = 2_000_000): InvariantProof {
  const [proof] = proveInvariants(bundle, maxModels)
  if (proof === undefined) throw new Error('no invariant')
  return proof
}

/** Whether the engine allows a counterexample, related rows and all. */
function isAllowed(bundle: Bundle, proof: InvariantProof): boolean {
  return createEngine(bundle).decide(requestOf(bundle, proof)).decision
}

t.test('a row of another table that opens a row refutes `never`, and shows itself', t => {
  const bundle = policy({ demand: "never: { action: read, when: '!mine && !resource.is_open' }" })
  const proof = proofOf(bundle)
  t.match(proof, { verdict: 'refuted', counterexample: { row: { is_open: false, folder: [] } } })
  const { row, principal } = proof.counterexample ?? {}
  t.match(row?.['shares'], [{ file_id: row?.['id'], tenant_id: principal?.['tenant_id'] }])
  t.ok(isAllowed(bundle, proof))
  t.end()
})

t.test('what no related row can open is proved', t => {
  const shared = 'resource.shares.exists(s, s.tenant_id == principal.tenant_id)'
  for (const demand of [
    'unchanged: { columns: [tenant_id] }',
    "never: { action: update, when: '!mine' }",
    `never: { action: read, when: '!mine && !resource.is_open && !${shared}' }`,
    "possible: { action: read, when: '!mine && !resource.is_open' }",
    `possible: { action: read, when: '!mine && ${shared}' }`
  ]) {
    t.match(proofOf(policy({ demand })), { verdict: 'proved', counterexample: null }, demand)
  }
  t.end()
})

t.test('`possible` is refuted where no related row makes it so', t => {
  const narrow = "resource.shares.exists(s, s.tenant_id == principal.tenant_id && s.level == 'write')"
  const rules = `      locked: { forbid: [read], when: "resource.shares.exists(s, s.level == 'locked')" }`
  const alone = "mine && resource.shares.exists(s, s.level == 'locked')"
  t.match(proofOf(policy({ demand: `possible: { action: update, when: "!mine && ${narrow}" }` })), {
    verdict: 'refuted',
    counterexample: null
  })
  t.match(proofOf(policy({ rules, demand: `possible: { action: read, when: "${alone}" }` })), {
    verdict: 'refuted'
  })
  t.end()
})

t.test('an unknown related row may hold, and a forbid over related rows counts it', t => {
  const when = "resource.shares.exists(s, s.level == 'locked')"
  const loose = policy({ demand: `never: { action: read, when: "${when}" }` })
  const refuted = proofOf(loose)
  t.match(refuted, { verdict: 'refuted', counterexample: { row: { shares: [{ level: null }] } } })
  t.ok(isAllowed(loose, refuted))
  const rules = `      locked: { forbid: [read], when: "${when}" }`
  t.match(proofOf(policy({ rules, demand: `never: { action: read, when: "${when}" }` })), {
    verdict: 'proved'
  })
  t.end()
})

t.test('the parent of a row: what may be read there opens a row here', t => {
  const rules = '      inside: { allow: [read], when: \'resource.folder.can("read")\' }'
  const demand =
    "never: { action: read, when: 'resource.tenant_id != principal.tenant_id && !resource.is_open' }"
  const none = policy({ demand: demand.replace('!resource.is_open', 'resource.folder.can("read")') })
  t.equal(proofOf(none).verdict, 'refuted', 'an open file in an open folder')
  const bundle = policy({ rules, demand })
  const proof = proofOf(bundle)
  t.match(proof, { verdict: 'refuted' })
  t.ok(isAllowed(bundle, proof))
  const through = proofOf(
    policy({
      rules,
      demand: demand.replace('!resource.is_open', '!resource.is_open && resource.folder_id == null')
    })
  )
  t.match(through, {
    verdict: 'refuted',
    counterexample: { row: { folder_id: null, folder: [], shares: [{}] } }
  })
  t.end()
})

t.test('a row without a key has no related rows', t => {
  const demand =
    'never: { action: read, when: \'resource.folder_id == null && resource.folder.can("read")\' }'
  t.match(proofOf(policy({ demand })), { verdict: 'proved' })
  t.end()
})

t.test('related rows go with the key: another key leads to others', t => {
  const rules = '      inside: { allow: [read, update], when: \'resource.folder.can("read")\' }'
  const demand = `only_when: { changes: [title], when: 'mine' }`
  const moved = "never: { action: update, when: '!mine && !resource.folder.exists(f, f.is_open)' }"
  const open = policy({ rules, demand })
  t.match(proofOf(open), { verdict: 'refuted', counterexample: { changed: ['title'] } })
  t.ok(isAllowed(open, proofOf(open)))
  const bundle = policy({ rules, demand: moved })
  const proof = proofOf(bundle)
  t.equal(proof.verdict, 'refuted')
  t.ok(isAllowed(bundle, proof))
  // neither the row nor its place may be a stranger's: the folder that lets one write is the one before the move
  const leaves = `never: { action: update, when: 'resource.folder.exists(f, f.is_open) && !mine' }`
  const fixed = { rules: rules.replace('can("read")', 'exists(f, f.is_open)') }
  const one = policy({ ...fixed, demand: leaves })
  t.ok(isAllowed(one, proofOf(one)))
  t.end()
})

t.test('a key that must not change keeps the related rows: what opens one row opens the other', t => {
  // the old row needs a share of level "write", the new one must have none
  const rules = `      writer:
        allow: [read, update]
        when: "resource.shares.exists(s, s.level == 'write')"
        check: resource.is_open`
  const demand = `never: { action: update, when: "!mine && resource.shares.exists(s, s.level == 'done')" }`
  const quiet = `${rules}\n      quiet: { forbid: [update], when: "resource.shares.exists(s, s.level == 'done')" }`
  const loose = policy({ rules, demand })
  t.ok(isAllowed(loose, proofOf(loose)))
  t.match(proofOf(policy({ rules: quiet, demand })), { verdict: 'proved' })
  const only = (immutable: string) =>
    policy({
      more: `    immutable: [${immutable}]\n`,
      rules,
      demand: `never: { action: update, when: "!mine && !resource.shares.exists(s, s.level == 'write')" }`
    })
  const free = proofOf(only('tenant_id'))
  t.match(free, { verdict: 'refuted', counterexample: { changed: /id/ } }, 'the new row has another id')
  t.not(free.counterexample?.row['id'], free.counterexample?.next?.['id'])
  t.match(proofOf(only('tenant_id, id')), { verdict: 'proved' }, 'the same rows are its shares')
  t.end()
})

t.test('column rules may ask for related rows', t => {
  const demand = `only_when: { changes: [title], when: "resource.shares.exists(s, s.level == 'write')" }`
  const loose = policy({ demand })
  t.ok(isAllowed(loose, proofOf(loose)))
  const more = `    column_rules: [{ columns: [title], when: "resource.shares.exists(s, s.level == 'write')" }]\n`
  t.match(proofOf(policy({ more, demand })), { verdict: 'proved' })
  const rule = `    column_rules: [{ columns: [title], when: "resource.shares.exists(s, s.level == 'read')" }]\n`
  const other = policy({ more: rule, demand })
  const proof = proofOf(other)
  t.match(proof, { verdict: 'refuted', counterexample: { row: { shares: [{ level: 'read' }] } } })
  t.ok(isAllowed(other, proof))
  t.end()
})

t.test('a key that conditions read is the same on both sides', t => {
  const rules = "      own: { allow: [read], when: 'resource.folder.exists(f, f.id == principal.id)' }"
  const demand =
    "never: { action: read, when: 'resource.folder_id == principal.id && !resource.folder.exists(f, f.id == principal.id) && resource.folder.exists(f, f.is_open)' }"
  t.match(proofOf(policy({ rules, demand })), { verdict: 'proved' })
  const other = demand.replace('!resource.folder.exists(f, f.id == principal.id) && ', '')
  const bundle = policy({ rules, demand: other })
  t.ok(isAllowed(bundle, proofOf(bundle)))
  t.end()
})

t.test('what needs several rows of a relation to one is not called refuted, nor proved', async t => {
  const demand =
    "never: { action: read, when: 'resource.folder.exists(f, f.is_open) && resource.folder.exists(f, !f.is_open)' }"
  t.match(proofOf(policy({ demand })), { verdict: 'not proved: related rows', counterexample: null })
  t.equal((await prove(policy({ demand }))).verdict, 'not proved: related rows')
  const both = demand.replace('folder.exists(f, f.is_open)', 'shares.exists(f, f.level == null)')
  t.match(proofOf(policy({ demand: both })), { verdict: 'refuted' })
})

t.test('too many related rows are said to be too many', t => {
  const demand = "never: { action: read, when: '!mine && !resource.is_open' }"
  t.match(proofOf(policy({ demand }), 10), { verdict: 'not proved: too large' })
  t.match(proofOf(policy({ demand: 'unchanged: { columns: [tenant_id] }' }), 10), {
    verdict: 'not proved: too large'
  })
  t.end()
})
