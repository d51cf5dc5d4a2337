import t, { type Test } from 'tap'
import { run } from '../../src/cli/run.js'
import { startService } from '../../src/cli/serve/service.js'
import { contextKeyText, newContextKey } from '../../src/db/context-token.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { capture } from '../support/capture.js'
import { createDatabase, TEST_PASSWORD } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle, HOME, TEST_KEY } from '../support/example.js'

const POLICIES = 'policies'
const KEY = 'a-key-of-the-tests'
const QUIET = { PORT: '0', LOG_LEVEL: 'silent', TWINRULE_API_KEYS: KEY }
const CONTEXT = { TWINRULE_CONTEXT_KEY: contextKeyText(TEST_KEY) }
const PEOPLE = ['ada', 'gus', 'ivy'] as const

interface Reply {
  readonly status: number
  readonly rows: readonly { readonly id: string }[]
  readonly cursor: string | null
  readonly count?: number
  readonly code?: string
  readonly evaluations: readonly { readonly decision: boolean }[]
  readonly error?: { readonly code: string }
}

async function post(url: string, body: unknown): Promise<Reply> {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  return { ...((await reply.json()) as Reply), status: reply.status }
}

const subjectOf = (who: keyof typeof HOME) => ({
  type: 'user',
  id: DEMO[who],
  properties: { tenant_id: HOME[who] }
})

/** Lists page by page, and asks of each id whether it may be read: both must say the same. */
async function listsAgree(t: Test, address: string, ids: readonly string[], size: number): Promise<void> {
  for (const who of PEOPLE) {
    const subject = subjectOf(who)
    const asked = { subject, resource: { type: 'agent' }, sort: [{ column: 'name' }], size, count: true }
    const listed: string[] = []
    let page = await post(`${address}/v1/list`, asked)
    const { count } = page
    for (;;) {
      t.equal(page.status, 200)
      listed.push(...page.rows.map(({ id }) => id))
      if (page.cursor === null) break
      t.equal(page.rows.length, size, 'every page but the last is full')
      page = await post(`${address}/v1/list`, { ...asked, cursor: page.cursor })
    }
    const { evaluations } = await post(`${address}/authorize`, {
      subject,
      action: { name: 'read' },
      evaluations: ids.map(id => ({ resource: { type: 'agent', id } }))
    })
    const readable = ids.filter((_, i) => evaluations[i]?.decision === true)
    t.strictSame([...listed].sort(), [...readable].sort(), who)
    t.equal(count, readable.length, 'counted')
    t.ok(readable.length > 0 && readable.length < ids.length, 'some, and not all')
  }
}

t.test('over a server: what is listed is what may be read, page by page', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const owner = await database.client()
  t.teardown(() => owner.end())
  await owner.query(`INSERT INTO agents (tenant_id, name, is_shared, sharing_mode, shared_with, deleted_at)
    SELECT (ARRAY['${DEMO.acme}', '${DEMO.globex}', '${DEMO.initech}']::uuid[])[1 + n % 3], 'name ' || n % 17,
      n % 2 = 0, (ARRAY['private', 'selective', 'global'])[1 + n % 5 % 3],
      CASE WHEN n % 5 % 3 = 1 THEN ARRAY['${DEMO.globex}', '${DEMO.initech}']::uuid[] ELSE '{}' END,
      CASE WHEN n % 11 = 0 THEN now() END
    FROM generate_series(1, 120) AS n`)
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM agents')
  const ids = rows.map(({ id }) => id)
  const env = {
    ...QUIET,
    ...CONTEXT,
    DATABASE_URL: database.url('twinrule_service'),
    TWINRULE_LIST_DATABASE_URL: database.url('twinrule_app')
  }
  const server = await startService({ policies: POLICIES }, capture(env).io)
  t.teardown(() => server.close())
  await listsAgree(t, server.address, ids, 7)

  const asked = { subject: subjectOf('ada'), resource: { type: 'agent' } }
  const list = (more: object) => post(`${server.address}/v1/list`, { ...asked, ...more })
  t.match(await list({ subject: { ...subjectOf('ada'), properties: { tenant_id: DEMO.globex } } }), {
    status: 200,
    rows: [],
    code: 'not_a_member'
  })
  const named = await list({ filter: [{ column: 'name', op: '==', value: 'name 3' }] })
  t.ok(named.rows.length > 0)
  t.match(await list({ filter: [{ column: 'nmae', op: '==', value: 'x' }] }), {
    status: 400,
    error: { code: 'TWR_REQUEST_LIST', hint: /name/ }
  })
  t.match(await list({ cursor: 'aGVsbG8' }), { status: 400, error: { code: 'TWR_REQUEST_CURSOR' } })

  const { bundle } = loadTexts({
    'other.yaml': `version: 1
include: [tenancy]
resources:
  agent:
    table: agents
    columns: { id: uuid!, tenant_id: uuid! }
    rules: { nobody_else: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
`
  })
  if (bundle === null) throw new Error('the policy of the test does not compile')
  await migrate({ database: database.url(), bundle })
  t.match(await list({}), { status: 503, error: { code: 'TWR_DB_NOT_MIGRATED' } }, 'of another policy: none')
})

t.test('over the embedded database, which has its own key', async t => {
  const env = { ...QUIET, TWINRULE_DATA_DIR: `${t.testdir({})}/data` }
  for (const start of ['first', 'second']) {
    const server = await startService({ policies: POLICIES, demo: true }, capture(env).io)
    t.teardown(() => server.close())
    t.comment(`${start} start`)
    await listsAgree(t, server.address, ([1, 2, 3, 4] as const).map(DEMO.agent), 1)
    const many = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? 'ada' : 'gus') as 'ada' | 'gus')
    const pages = await Promise.all(
      many.map(who =>
        post(`${server.address}/v1/list`, { subject: subjectOf(who), resource: { type: 'agent' } })
      )
    )
    t.strictSame(
      pages.map(({ rows }) => rows.length),
      many.map(() => 3)
    )
    t.ok(pages.every(({ rows }, i) => rows.some(({ id }) => id === DEMO.agent(many[i] === 'ada' ? 1 : 4))))
    t.match(
      await post(`${server.address}/v1/list`, {
        subject: { ...subjectOf('ada'), properties: { tenant_id: DEMO.globex } },
        resource: { type: 'agent' }
      }),
      { status: 200, rows: [], code: 'not_a_member' }
    )
    t.match(
      await post(`${server.address}/authorize`, {
        subject: subjectOf('ada'),
        action: { name: 'read' },
        resource: { type: 'agent', id: DEMO.agent(1) }
      }),
      { status: 200, decision: true },
      'and decisions are made as the login of the service again'
    )
    await server.close()
  }
})

t.test('a login for lists that is not safe, and a key that does not count, end the start', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const other = await demoDatabase(t, await exampleBundle())
  const empty = await createDatabase(t)
  const app = { TWINRULE_LIST_DATABASE_URL: database.url('twinrule_app') }
  const owner = await database.client()
  const login = `bypasses_${database.name}`
  await owner.query(`CREATE ROLE ${login} LOGIN BYPASSRLS PASSWORD '${TEST_PASSWORD}'`)
  t.teardown(async () => {
    await owner.query(`DROP ROLE ${login}`)
    await owner.end()
  })
  const unknown = contextKeyText({ ...newContextKey('test-1') })
  const cases: [Record<string, string>, number, RegExp][] = [
    [app, 2, /^TWR_CONFIG TWINRULE_LIST_DATABASE_URL is set and TWINRULE_CONTEXT_KEY is not\n/],
    [{ ...app, TWINRULE_CONTEXT_KEY: 'nonsense' }, 2, /^TWR_\w+ .*key/],
    [
      { ...app, TWINRULE_CONTEXT_KEY: unknown },
      2,
      /^TWR_CONFIG the database refuses what TWINRULE_CONTEXT_KEY/
    ],
    [
      { ...app, TWINRULE_CONTEXT_KEY: contextKeyText(newContextKey('never-added')) },
      2,
      /^TWR_CONFIG the database refuses what TWINRULE_CONTEXT_KEY/
    ],
    [
      { ...CONTEXT, TWINRULE_LIST_DATABASE_URL: database.url() },
      78,
      /^TWR_DB_UNSAFE_ROLE .*SUPERUSER.*\n\s*hint: set TWINRULE_LIST_DATABASE_URL to the login twinrule_app/
    ],
    [
      { ...CONTEXT, TWINRULE_LIST_DATABASE_URL: database.url(login, TEST_PASSWORD) },
      78,
      /^TWR_DB_UNSAFE_ROLE .*BYPASSRLS/
    ],
    [
      { ...CONTEXT, TWINRULE_LIST_DATABASE_URL: database.url('twinrule_service') },
      78,
      /^TWR_DB_UNSAFE_ROLE the login may not read lists/
    ],
    [
      { ...CONTEXT, TWINRULE_LIST_DATABASE_URL: other.url('twinrule_app') },
      2,
      /^TWR_CONFIG TWINRULE_LIST_DATABASE_URL names another database/
    ],
    [{ ...CONTEXT, TWINRULE_LIST_DATABASE_URL: empty.url('twinrule_app') }, 2, /^TWR_\w+ /],
    [{ ...CONTEXT, TWINRULE_LIST_DATABASE_URL: 'postgres://127.0.0.1:1/nothing' }, 3, /^TWR_DB_UNREACHABLE /]
  ]
  for (const [env, code, message] of cases) {
    const { io, out, err } = capture({ ...QUIET, DATABASE_URL: database.url('twinrule_service'), ...env })
    t.equal(await run(['serve', '--policies', POLICIES], io), code, String(message))
    t.match(err(), message)
    t.equal(out(), '')
    t.notMatch(err(), new RegExp(`${unknown.split(':')[1]}|${CONTEXT.TWINRULE_CONTEXT_KEY.split(':')[1]}`))
  }
  const { io, err } = capture({ ...QUIET, ...app })
  t.equal(await run(['serve', '--policies', POLICIES], io), 2)
  t.match(err(), /^TWR_CONFIG TWINRULE_LIST_DATABASE_URL is set and DATABASE_URL is not\n/)
})
