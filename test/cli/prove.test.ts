import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'

const NOTES = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
`

t.test('a policy that is proved says so, in how many cases, and what that does not cover', async t => {
  const { io, out } = capture()
  t.equal(await run(['prove', t.testdir({ 'a.yaml': NOTES })], io), 0)
  t.match(
    out(),
    /^note {2}proved {2}5 of 5 questions, \d+ cases, \d+ ms \(notes\)\n\nTested, not proved: everything about a live/
  )
  t.match(out(), /FORCE/)
})

t.test('a limit that is too low is no proof, and exit code 1', async t => {
  const { io, out } = capture()
  t.equal(await run(['prove', t.testdir({ 'a.yaml': NOTES }), '--max-models', '1'], io), 1)
  t.match(out(), /note read: not proved: too large \(\d+ cases; --max-models raises the limit\)/)
  t.notMatch(out(), /refuted/)
})

t.test('--format json is the report', async t => {
  const { io, out } = capture()
  t.equal(await run(['prove', t.testdir({ 'a.yaml': NOTES }), '--format', 'json'], io), 0)
  t.match(JSON.parse(out()), {
    verdict: 'proved',
    revision: /^[0-9a-f]{64}$/,
    resources: [{ resource: 'note', verdict: 'proved', findings: [] }]
  })
})

t.test('mistakes in the policy are reported before anything is proved', async t => {
  const { io, err } = capture()
  t.equal(await run(['prove', t.testdir({ 'a.yaml': NOTES.replace('[read]', '[raed]') })], io), 1)
  t.match(err(), /TWR_POLICY_ACTION/)
})

t.test('a limit that is no number is a usage error', async t => {
  const { io } = capture()
  t.equal(await run(['prove', '--max-models', 'many'], io), 2)
})

t.test('each invariant has a line with its place, and a refuted one its case', async t => {
  const policy = `${NOTES}invariants:
  - never: { action: read, when: resource.tenant_id != principal.tenant_id }
  - possible: { action: read, when: resource.tenant_id != principal.tenant_id }
  - never: { action: read, when: 'true' }
`
  const { io, out } = capture()
  const dir = t.testdir({ 'a.yaml': policy })
  t.equal(await run(['prove', dir], io), 1)
  t.match(out(), /a\.yaml:10:5 never read \(note\) {2}proved {2}\d+ cases\n/)
  t.match(out(), /a\.yaml:11:5 possible read \(note\): refuted: no case in which/)
  t.match(
    out(),
    /a\.yaml:12:5 never read \(note\): refuted\n {2}allowed, .*\n {2}principal: \{"id":.*\n {2}row: /
  )
  const json = capture()
  t.equal(await run(['prove', dir, '--format', 'json'], json.io), 1)
  t.match(JSON.parse(json.out()), {
    verdict: 'refuted',
    invariants: [{ verdict: 'proved', at: /a\.yaml:10:5$/ }, { verdict: 'refuted' }, { verdict: 'refuted' }]
  })
  const low = capture()
  t.equal(await run(['prove', dir, '--max-models', '1'], low.io), 1)
  t.match(low.out(), /never read \(note\): not proved: too large \(\d+ cases or more; --max-models/)
  const checked = capture()
  t.equal(await run(['check', dir], checked.io), 1)
  t.match(checked.err(), /refuted: .*a\.yaml:11:5 possible read \(note\), .*a\.yaml:12:5 never read \(note\)/)
})

t.test('an invariant that is kept is counted by check', async t => {
  const policy = `${NOTES}invariants: [{ never: { action: delete, when: 'true' } }]\n`
  const { io, err } = capture()
  t.equal(await run(['check', t.testdir({ 'a.yaml': policy })], io), 0)
  t.match(err(), /, 1 invariant\n$/)
})
