import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'
import { DECISION_TABLE, DEMO, demoDatabase, exampleBundle, HOME, type User } from '../support/example.js'

const database = await demoDatabase(t, await exampleBundle())
const NOBODY = '00000000-0000-0000-0001-0000000000ff'
const NOWHERE = '00000000-0000-0000-0002-0000000000ff'

async function whyHidden(id: string, ...flags: string[]) {
  const { io, out, err } = capture()
  const login = flags.includes('--database') ? [] : ['--database', database.url('twinrule_service')]
  const code = await run(['why-hidden', 'agent', id, ...login, ...flags], io)
  return { code, out: out(), err: err() }
}

const CELLS = (Object.keys(DECISION_TABLE) as User[]).flatMap(user =>
  (['read', 'update'] as const).flatMap(action =>
    ([1, 2, 3, 4] as const).map(n => ({ user, action, n, may: DECISION_TABLE[user][action].includes(n) }))
  )
)

for (const { user, action, n, may } of CELLS) {
  t.test(`${user} ${action} agent ${n}: ${may ? 'allowed' : 'denied, and why on one screen'}`, async t => {
    const { code, out, err } = await whyHidden(DEMO.agent(n), '--as', DEMO[user], '--action', action)
    t.equal(code, 0)
    t.ok(
      out.startsWith(`${may ? 'ALLOWED' : 'DENIED'}  ${action} agent ${DEMO.agent(n)} for ${DEMO[user]}\n`)
    )
    const json = await whyHidden(DEMO.agent(n), '--as', DEMO[user], '--action', action, '--format', 'json')
    const explanation = JSON.parse(json.out)
    t.match(explanation, { decision: may, principal: { tenant_id: HOME[user] }, row: { id: DEMO.agent(n) } })
    t.equal(err.includes('enter_role'), may && user === 'root' && (n !== 3 || action === 'update'))
    if (may) return
    t.ok(out.split('\n').length <= 30, `${out.split('\n').length} lines`)
    t.ok(
      explanation.demands.some((one: { met: boolean }) => !one.met),
      'a demand that is not met'
    )
    t.match(out, /does not allow \(when at policies\/platform\.yaml:\d+:\d+\)/)
    t.match(out, /\n(?:This change|Any one of these changes) would allow it:\n/)
  })
}

t.test('a write is explained with what it would change', async t => {
  const { out } = await whyHidden(
    DEMO.agent(1),
    '--as',
    DEMO.ada,
    '--action',
    'update',
    '--changes',
    '{"sharing_mode":"global"}'
  )
  t.match(out, /^DENIED {2}update agent .*changes {3}sharing_mode: private -> global|sharing_mode: .*global/s)
})

t.test('who is not there, or in no such tenant, is told before any rule', async t => {
  const unknown = await whyHidden(DEMO.agent(1), '--as', NOBODY)
  t.match(unknown, { code: 1, out: /^DENIED .*\(unknown_subject\)/s })
  const elsewhere = await whyHidden(DEMO.agent(1), '--as', DEMO.ada, '--tenant', DEMO.globex)
  t.match(elsewhere, { code: 1, out: /\(not_a_member\)/ })
  const missing = await whyHidden(NOWHERE, '--as', DEMO.ada)
  t.match(missing, { code: 1, out: /there is no agent with this id \(no_row\)/ })
})

t.test('redacted, a row that is hidden is told as one that is not there', async t => {
  const hidden = await whyHidden(DEMO.agent(4), '--as', DEMO.ada, '--redact')
  const missing = await whyHidden(NOWHERE, '--as', DEMO.ada, '--redact')
  t.equal(hidden.out.replaceAll(DEMO.agent(4), NOWHERE), missing.out)
  t.match(hidden, { code: 1, out: /there is no such row, or whoever asks may not read it \(no_row\)/ })
  const update = await whyHidden(
    DEMO.agent(4),
    '--as',
    DEMO.ada,
    '--redact',
    '--action',
    'update',
    '--format',
    'json'
  )
  const none = await whyHidden(
    NOWHERE,
    '--as',
    DEMO.ada,
    '--redact',
    '--action',
    'update',
    '--format',
    'json'
  )
  t.equal(update.out.replaceAll(DEMO.agent(4), NOWHERE), none.out)
  const readable = await whyHidden(DEMO.agent(3), '--as', DEMO.ada, '--redact', '--action', 'update')
  t.match(readable, { code: 0, out: /^DENIED {2}update .*\(no_rule\)/s }, 'what one may read is explained')
})

t.test('the login of applications cannot ask, and nothing changes', async t => {
  const asApp = await whyHidden(DEMO.agent(4), '--as', DEMO.ada, '--database', database.url('twinrule_app'))
  t.match(asApp, { code: 78, out: '', err: /^TWR_DB_UNSAFE_ROLE / })
  const asOwner = await whyHidden(DEMO.agent(4), '--as', DEMO.ada, '--database', database.url())
  t.match(asOwner, { code: 0, out: /^DENIED/ })
})

t.test('mistakes in the command are no denials', async t => {
  const cases: readonly (readonly [argv: readonly string[], err: RegExp])[] = [
    [['agnet', NOWHERE, '--as', DEMO.ada], /no resource agnet: agent, /],
    [['agent', NOWHERE, '--as', DEMO.ada, '--action', 'reed'], /no action reed/],
    [['agent', NOWHERE, '--as', DEMO.ada, '--action', 'create'], /about a row that is not stored yet/],
    [['agent', NOWHERE, '--as', DEMO.ada, '--changes', '1'], /--changes must be a JSON object/],
    [['agent', NOWHERE], /required option '--as <user>'/]
  ]
  for (const [argv, message] of cases) {
    const { io, err } = capture()
    t.equal(await run(['why-hidden', ...argv, '--database', database.url('twinrule_service')], io), 2)
    t.match(err(), message)
  }
  const { io, err } = capture()
  t.equal(await run(['why-hidden', 'agent', NOWHERE, '--as', DEMO.ada], io), 2)
  t.match(err(), /no database to look at/)
})
