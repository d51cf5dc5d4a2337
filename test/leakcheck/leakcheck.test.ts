import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { run } from '../../src/cli/run.js'
import { readLeakFile } from '../../src/leakcheck/file.js'
import { LEAKCHECK_SCHEMA } from '../../src/leakcheck/schema.js'
import { capture } from '../support/capture.js'
import { createDatabase, type Database } from '../support/cluster.js'
import { demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'
import { addTenants, idOf } from '../support/many-tenants.js'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.js'
import { freePort } from '../support/server.js'

const SEED = process.env['TWINRULE_SEED'] ?? String(1 + Math.floor(Math.random() * 999_999))
const program = findPgBouncer()
const absent = program === null ? { skip: 'PgBouncer is not installed (Debian: pgbouncer)' } : {}

/** Row-level security as many write it by hand. */
const BY_HAND = `
CREATE TABLE notes (id int PRIMARY KEY, tenant_id text NOT NULL, body text);
INSERT INTO notes SELECT n, CASE n % 3 WHEN 0 THEN 'acme' WHEN 1 THEN 'globex' ELSE 'initech' END, 'note ' || n
  FROM generate_series(1, 30) AS n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (tenant_id = current_setting('app.tenant', true));
DO $$ BEGIN CREATE ROLE leaky_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT SELECT ON notes TO leaky_app;`

const TENANTS = `version: 1
tenants:
  acme: { tenant: acme }
  globex: { tenant: globex }
  initech: { tenant: initech }
`

/** A leakcheck file whose context is for the session, or for the transaction. */
const sql = (local: boolean) => `${TENANTS}requests:
  notes:
    sql: SELECT id, tenant_id, body FROM notes
    context: SELECT set_config('app.tenant', {tenant}, ${local})
    transaction: ${local}
`

async function runCommand(argv: readonly string[]) {
  const { io, out, err } = capture()
  const code = await run(argv, io)
  return { code, out: out(), err: err() }
}

async function byHand(t: Test): Promise<Database> {
  const database = await createDatabase(t)
  const owner = await database.client()
  await owner.query(BY_HAND)
  await owner.end()
  return database
}

async function leakcheck(t: Test, text: string, ...argv: readonly string[]) {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const dir = t.testdir({ 'leakcheck.yaml': text })
  return runCommand(['leakcheck', join(dir, 'leakcheck.yaml'), '--seed', SEED, ...argv])
}

t.test('a context for the session leaks through a pooler, and is found', absent, async t => {
  if (program === null) return
  const database = await byHand(t)
  const url = await startPgBouncer(t, database, { program, role: 'leaky_app', connections: 3 })
  const { code, out } = await leakcheck(t, sql(false), '--database', url)
  t.equal(code, 1)
  t.match(out, /^LEAK {2}notes for (acme|globex|initech|nobody) gave \d+ rows of (acme|globex|initech)/)
  t.match(out, /What was asked before and meanwhile:\n(.*\n)* .*notes for .*<- here\n/)
  t.match(out, /leaked/)
  const told = await leakcheck(t, sql(false), '--database', url, '--format', 'json')
  const { seed, leaks } = JSON.parse(told.out)
  t.equal(String(seed), SEED)
  for (const { tenant, rows, story } of leaks) {
    t.match(story.at(-1), { tenant, request: 'notes' })
    for (const { row, of } of rows) {
      t.strictSame(of, [row.tenant_id])
      t.not(row.tenant_id, tenant)
    }
  }
})

t.test('a context for the session is left behind on a pool', async t => {
  const database = await byHand(t)
  const { code, out } = await leakcheck(t, sql(false), '--database', database.url('leaky_app'))
  t.equal(code, 1)
  t.match(out, /^LEAK {2}notes for nobody gave 10 rows of/)
})

t.test('a context for the transaction does not leak', async t => {
  const database = await byHand(t)
  const urls = [database.url('leaky_app')]
  if (program !== null) {
    urls.push(await startPgBouncer(t, database, { program, role: 'leaky_app', connections: 3 }))
  }
  for (const url of urls) {
    const { code, out, err } = await leakcheck(t, sql(true), '--database', url, '--requests', '1500')
    t.equal(code, 0, out)
    t.match(out, /^\d+ answers, 0 leaks; \d+ requests disturbed\n$/)
    t.match(err, /alone, rows of notes: nobody 0, acme 10, globex 10, initech 10\n/)
    t.match(err, /\b1500 of 1500\n/)
  }
})

const OURS = `import pg from 'pg'
import { tenantPool, tenantQuery, withTenant } from 'SOURCE'
const pool = new pg.Pool({ connectionString: process.env.LEAKCHECK_URL, max: 3 })
pool.on('error', () => {})
const tenants = tenantPool(pool, { key: KEY })
const NAMES = 'SELECT id, tenant_id FROM agents'
const principal = ({ user_id, tenant_id }) => ({ userId: user_id, tenantId: tenant_id })
export const one = async tenant => (await tenantQuery(tenants, principal(tenant), NAMES)).rows
export const several = (tenant, { signal }) =>
  withTenant(tenants, principal(tenant), async client => {
    const { rows } = await client.query(NAMES)
    signal.throwIfAborted()
    await client.query('SELECT pg_sleep(0.002)')
    return rows
  })
export const close = () => pool.end()
`

t.test('the client of twinrule does not leak', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const owner = await database.client()
  await addTenants(owner, 4)
  await owner.end()
  const own = database.url('twinrule_app')
  const url =
    program === null
      ? own
      : await startPgBouncer(t, database, { program, role: 'twinrule_app', connections: 3 })
  const tenants = [1, 2, 3, 4].map(
    n => `  t${n}: { tenant_id: ${idOf('tenant', n)}, user_id: ${idOf('user', n)} }\n`
  )
  const text = `version: 1\ntenants:\n${tenants.join('')}requests:
  one: { module: ./ours.mjs, call: one, key: [id] }
  several: { module: ./ours.mjs, call: several }
`
  const key = `{ kid: '${TEST_KEY.kid}', secret: Buffer.from('${TEST_KEY.secret.toString('hex')}', 'hex') }`
  const dir = t.testdir({
    'leakcheck.yaml': text,
    'ours.mjs': OURS.replace('SOURCE', join(process.cwd(), 'src/client.ts')).replace('KEY', key)
  })
  process.env['LEAKCHECK_URL'] = url
  t.teardown(async () => (await import(join(dir, 'ours.mjs'))).close())
  const { code, out } = await runCommand([
    'leakcheck',
    join(dir, 'leakcheck.yaml'),
    '--seed',
    SEED,
    '--requests',
    '1500'
  ])
  t.equal(code, 0, out)
  t.match(out, /^\d+ answers, 0 leaks; \d+ requests disturbed\n$/)
})

/** An application whose requests share a variable, or not. */
async function application(t: Test, shared: boolean): Promise<string> {
  let current = ''
  const server = createServer(async (request, response) => {
    const [, tenant = ''] = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '') ?? []
    current = tenant
    await sleep(1)
    const whose = shared ? current : tenant
    response.statusCode = whose === '' ? 401 : 200
    response.end(JSON.stringify({ items: whose === '' ? [] : [{ id: `${whose}-1` }, { id: `${whose}-2` }] }))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => new Promise(done => server.close(done)))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/notes`
}

const http = (url: string, rows = '/items') =>
  `${TENANTS}requests:
  notes: { url: '${url}', headers: { authorization: Bearer {tenant} }, rows: ${rows} }
`.replace('Bearer {tenant}', "'Bearer {tenant}'")

t.test('an application that mixes up requests is found over HTTP, one that does not is not', async t => {
  const bad = await leakcheck(t, http(await application(t, true)))
  t.match(bad, { code: 1, out: /LEAK {2}notes for \w+ gave 2 rows of \w+\n {2}of \w+: \{"id":"\w+-1"\}/ })
  const good = await leakcheck(t, http(await application(t, false)), '--requests', '1000')
  t.match(good, { code: 0, out: /^\d+ answers, 0 leaks; \d+ requests disturbed\n$/ })
})

t.test('what cannot be checked is said, and is no pass', async t => {
  const url = await application(t, false)
  const same = `${TENANTS}requests: { notes: { url: '${url}', headers: { authorization: Bearer x }, rows: /items } }\n`
  t.match(await leakcheck(t, same), {
    code: 2,
    err: /TWR_LEAK_BLIND notes gives the same rows to every tenant/
  })
  t.match(await leakcheck(t, http(url, '/nothing')), {
    code: 2,
    err: /TWR_LEAK_TARGET the answer of notes has nothing at/
  })
  t.match(await leakcheck(t, http(`http://127.0.0.1:${await freePort()}/`)), {
    code: 2,
    err: /TWR_LEAK_TARGET notes for nobody: fetch failed/
  })
  t.match(await leakcheck(t, sql(true), '--database', 'postgres://x@127.0.0.1:1/x'), {
    code: 2,
    err: /TWR_LEAK_TARGET notes for nobody: .*ECONNREFUSED/
  })
  t.match(await leakcheck(t, sql(true)), { code: 2, err: /TWR_LEAK_TARGET a request is SQL/ })
  const module = `${TENANTS}requests: { notes: { module: ./none.mjs } }\n`
  t.match(await leakcheck(t, module), {
    code: 2,
    err: /TWR_LEAK_TARGET the module .*none.mjs cannot be loaded/
  })
  const database = await byHand(t)
  const wrong = sql(true).replace('FROM notes', 'FROM nowhere')
  t.match(await leakcheck(t, wrong, '--database', database.url('leaky_app')), {
    code: 2,
    err: /TWR_LEAK_TARGET notes for acme: relation "nowhere" does not exist/
  })
  const changing = sql(true).replace('body FROM', 'clock_timestamp() FROM')
  t.match(await leakcheck(t, changing, '--database', database.url('leaky_app')), {
    code: 2,
    err: /TWR_LEAK_BLIND notes gives other rows each time[\s\S]*hint: .*key: \[id\]/
  })
  const told = changing.replace('    transaction', '    key: [id]\n    transaction')
  t.match(await leakcheck(t, told, '--database', database.url('leaky_app'), '--requests', '200'), { code: 0 })
})

t.test('docs/leakcheck.md shows a file that can be read, and the schema is what editors get', async t => {
  const [, file = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync('docs/leakcheck.md', 'utf8')) ?? []
  const env = { ACME_TOKEN: 'a', GLOBEX_TOKEN: 'g' }
  const { checked, problems } = readLeakFile('leakcheck.yaml', file, env)
  t.strictSame(problems, [])
  t.match(checked, {
    tenants: [{ name: 'acme', values: { token: 'a' } }, { name: 'globex' }],
    requests: [
      { kind: 'http', rows: '/items' },
      { kind: 'sql', transaction: true }
    ]
  })
  t.strictSame(JSON.parse(readFileSync('schema/leakcheck.schema.json', 'utf8')), LEAKCHECK_SCHEMA)
})

t.test('mistakes in the file have a place', async t => {
  const mistake = async (text: string, code: string, what: RegExp) => {
    const { code: exit, err } = await leakcheck(t, text)
    t.match({ exit, err }, { exit: 1, err: new RegExp(`leakcheck.yaml:\\d+:\\d+ .*${code}`) })
    t.match(err, what)
  }
  await mistake('version: 2\n', 'TWR_POLICY_SCHEMA', /expected 1/)
  await mistake(sql(true).replace('sql:', 'sqk:'), 'TWR_POLICY_SCHEMA', /sqk/)
  await mistake(
    sql(true).replace('{tenant}', '{tenent}'),
    'TWR_LEAK_FILE',
    /\{tenent\} stands for nothing[\s\S]*tenant/
  )
  await mistake(http('x').replace('rows:', 'sql: SELECT 1, rows:'), 'TWR_LEAK_FILE', /both sql and url/)
  await mistake(`${TENANTS}requests: { a: { key: [id] } }\n`, 'TWR_LEAK_FILE', /says nothing to ask/)
  await mistake(
    `${TENANTS}requests: { a: { sql: x, call: y } }\n`,
    'TWR_LEAK_FILE',
    /call does not go with sql/
  )
  await mistake(
    sql(true).replace('{ tenant: acme }', '{ tenant: { env: NOT_THERE } }'),
    'TWR_LEAK_FILE',
    /the environment variable NOT_THERE is not set/
  )
  t.match(await runCommand(['leakcheck', 'nowhere.yaml']), {
    code: 2,
    err: /TWR_LEAK_FILE nowhere.yaml cannot be read/
  })
})
