import t from 'tap'
import { run } from '../../src/cli/run.js'
import { contextKey, contextToken } from '../../src/db/context-token.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { capture } from '../support/capture.js'
import { createDatabase } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle } from '../support/example.js'

async function keys(argv: readonly string[], env: Record<string, string> = {}) {
  const { io, out, err } = capture(env)
  const code = await run(['keys', ...argv], io)
  return { code, out: out(), err: err() }
}

t.test('a key is made, used, rotated and retired', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const on = ['--database', database.url()]
  const app = await database.client('twinrule_app')
  t.teardown(() => app.end())
  const taken = async (text: string) => {
    const token = contextToken(contextKey(text), { userId: DEMO.ada, tenantId: DEMO.acme })
    await app.query('BEGIN')
    const answer = await app.query('SELECT twinrule.set_tenant_context($1) AS valid', [token]).then(
      ({ rows }) => rows[0].valid,
      error => error.code
    )
    await app.query('ROLLBACK')
    return answer
  }
  const made = await keys(['add', 'app-1', ...on])
  t.match(made, {
    code: 0,
    out: /^TWINRULE_CONTEXT_KEY=app-1:[A-Za-z0-9_-]{43}\n$/,
    err: /tokens of app-1 count now/
  })
  const first = made.out.trim().slice('TWINRULE_CONTEXT_KEY='.length)
  t.equal(await taken(first), true)

  const second = JSON.parse((await keys(['add', 'app-2', '--format', 'json', ...on])).out)
  t.match(second, { kid: 'app-2', added: true })
  t.equal(await taken(second.key), true, 'both count')
  t.match(await keys(['retire', 'app-1', ...on]), { code: 0, out: /^app-1 .* retired / })
  t.equal(await taken(first), 'AZ001')
  t.equal(await taken(second.key), true)

  const listed = await keys(['list', ...on])
  t.match(listed.out, /^app-1 .* retired .*\napp-2 .* counts$/m)
  t.notMatch(listed.out, first.split(':')[1], 'no secret is shown')
  t.match(JSON.parse((await keys(['list', '--format', 'json', ...on])).out).keys, [
    { kid: 'test-1' },
    { kid: 'app-1' },
    { kid: 'app-2', retiredAt: null }
  ])

  const env = { TWINRULE_CONTEXT_KEY: second.key }
  t.match(await keys(['add', ...on], env), { code: 0, out: '', err: /^tokens of app-2 count already\n$/ })
  t.match(await keys(['token', '--user', DEMO.ada, '--tenant', DEMO.acme], env), {
    code: 0,
    out: /^v1\.app-2\./
  })
})

t.test('a name that is taken, and one that is unknown, are refused', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const on = ['--database', database.url()]
  await keys(['retire', 'test-1', ...on])
  t.match(await keys(['add', 'test-1', ...on]), {
    code: 3,
    err: /^TWR_DB_KEY the database has another or a retired key called test-1\n/
  })
  t.match(
    await keys(['add', 'seal', ...on]),
    { code: 3, err: /^TWR_DB_KEY / },
    'the key of the seal is no key for tokens'
  )
  t.match(await keys(['retire', 'seal', ...on]), {
    code: 3,
    err: /^TWR_DB_KEY the database has no key called seal/
  })
  t.match(await keys(['retire', 'other', ...on]), { code: 3, err: /keys list/ })
})

t.test('a malformed key or id is refused, and never shown', async t => {
  const env = { TWINRULE_CONTEXT_KEY: 'app-1:hunter2' }
  const token = await keys(['token', '--user', DEMO.ada, '--tenant', DEMO.acme], env)
  t.match(token, { code: 2, err: /^TWR_CONFIG the context key is malformed\n/ })
  t.notMatch(token.err, /hunter2/)
  t.match(await keys(['token', '--user', DEMO.ada, '--tenant', DEMO.acme]), {
    code: 2,
    err: /TWINRULE_CONTEXT_KEY is not set/
  })
  const whole = { TWINRULE_CONTEXT_KEY: `app-1:${'A'.repeat(43)}` }
  t.match(await keys(['token', '--user', 'ada', '--tenant', DEMO.acme], whole), {
    code: 2,
    err: /the uuid of a user/
  })
  t.match(await keys(['add', 'app-2', '--database', 'postgres://x'], whole), {
    code: 2,
    err: /a key called app-1/
  })
  t.match(await keys(['add', '--database', 'postgres://x']), { code: 2, err: /has no name/ })
  t.match(await keys(['list']), { code: 2, err: /^TWR_CONFIG no database/ })
  t.match(await keys(['list', '--database', 'postgres://postgres@127.0.0.1:1/x']), {
    code: 3,
    err: /^TWR_DB_UNREACHABLE/
  })
})

t.test('a policy with plain contexts has no keys, and takes user and tenant by name', async t => {
  const text = `version: 1
context: plain
principal: { id: uuid, tenant_id: uuid }
resources:
  agent:
    table: agents
    columns: { id: uuid!, tenant_id: uuid! }
    rules: { mine: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
`
  const { bundle } = loadTexts({ 'plain.yaml': text })
  if (bundle === null) throw new Error('the policy does not load')
  const database = await createDatabase(t)
  await migrate({ database: database.url(), bundle, demo: true })
  t.match(await keys(['list', '--database', database.url()]), {
    code: 3,
    err: /^TWR_DB_KEY this database has no signed contexts/
  })
  const app = await database.client('twinrule_app')
  t.teardown(() => app.end())
  const seen = async (user: string, tenant: string) => {
    await app.query('BEGIN')
    const { rows } = await app.query('SELECT twinrule.set_tenant_context($1, $2) AS valid', [user, tenant])
    const { rowCount } = await app.query('SELECT id FROM agents')
    await app.query('COMMIT')
    return [rows[0].valid, rowCount, (await app.query('SELECT id FROM agents')).rowCount]
  }
  t.same(await seen(DEMO.ada, DEMO.acme), [true, 2, 0])
  t.same(await seen(DEMO.ada, DEMO.globex), [false, 0, 0])
  await app.query('BEGIN')
  await app.query('SELECT twinrule.set_tenant_context($1, $2)', [DEMO.ada, DEMO.acme])
  await t.rejects(app.query('SELECT twinrule.set_tenant_context($1, $2)', [DEMO.gus, DEMO.globex]), {
    code: 'AZ001'
  })
  await app.query('ROLLBACK')
})
