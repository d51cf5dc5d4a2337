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
    /^note {2}proved {2}5 of 5 questions, \d+ cases, \d+ ms \(notes\)\n\nTested, not proved: column rules/
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
