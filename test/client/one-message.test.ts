import pg from 'pg'
import t from 'tap'
import { asPlatformAdmin, tenantPool, tenantQuery, withTenant } from '../../src/client.js'
import { openEmbedded } from '../../src/db/embedded.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { DEMO, demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'
import { countMessages } from '../support/message-counter.js'

const ada = { userId: DEMO.ada, tenantId: DEMO.acme }
const root = { userId: DEMO.root, tenantId: DEMO.platform }
const BY_ID = { name: 'agent-by-id', text: 'SELECT name FROM agents WHERE id = $1', values: [DEMO.agent(1)] }

t.test('a statement costs one round trip, a transaction one to begin and one to end', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const counter = await countMessages(t, database.url('twinrule_app'))
  const pool = new pg.Pool({ connectionString: counter.url, max: 1 })
  // the database is dropped by force: a connection that is cut while idle must not fail the file
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const tenants = tenantPool(pool, { key: TEST_KEY })
  const counted = async (work: () => Promise<unknown>) => {
    counter.reset()
    await work()
    return { sent: counter.sent, ready: counter.ready }
  }
  const byId = () => tenantQuery(tenants, ada, BY_ID)
  await pool.query('SELECT 1')
  // C close, P parse, B bind, D describe, E execute, S sync, Q simple query
  t.strictSame(await counted(byId), { sent: 'CPBECPBECPBDECPBES', ready: 1 }, 'the first time it is prepared')
  t.strictSame(await counted(byId), { sent: 'BEBEBDEBES', ready: 1 })
  const text = () => tenantQuery(tenants, ada, BY_ID.text, BY_ID.values)
  t.strictSame(await counted(text), { sent: 'BEBEPBDEBES', ready: 1 }, 'without a name it is not prepared')
  const nothing = () => withTenant(tenants, ada, async () => {})
  t.strictSame(await counted(nothing), { sent: 'BEBESPBES', ready: 2 })
  const enter = () => asPlatformAdmin(tenants, root, { reason: 'a look' }, async () => {})
  t.strictSame(await counted(enter), { sent: 'BEBECPBESPBES', ready: 2 })
  const fails = () => t.rejects(tenantQuery(tenants, ada, 'SELECT 1 / 0'), { code: '22012' })
  t.strictSame(await counted(fails), { sent: 'BEBEPBDEBESPBES', ready: 2 }, 'an error costs a ROLLBACK')
  t.strictSame(await counted(byId), { sent: 'BEBEBDEBES', ready: 1 })

  const unprepared = tenantPool(pool, { key: TEST_KEY, prepare: false })
  const again = () => tenantQuery(unprepared, ada, BY_ID)
  t.strictSame(await counted(again), { sent: 'PBEPBEPBDEPBES', ready: 1 })
})

t.test('a server that has forgotten what was prepared is asked again, without', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 1 })
  // the database is dropped by force: a connection that is cut while idle must not fail the file
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const tenants = tenantPool(pool, { key: TEST_KEY })
  const add = { name: 'add', text: "INSERT INTO agents (tenant_id, name) VALUES ($1, 'made once')" }
  await tenantQuery(tenants, ada, add, [DEMO.acme])
  await pool.query('DEALLOCATE ALL')
  await tenantQuery(tenants, ada, add, [DEMO.acme])
  t.equal(tenants.isPreparing, false)
  t.equal(await withTenant(tenants, ada, async client => (await client.query('TABLE agents')).rowCount), 5)
  const missing = tenantQuery(tenants, ada, 'EXECUTE nothing')
  await t.rejects(missing, { code: '26000' }, 'a statement of the application that is not there is an error')
})

t.test('a connection that breaks before it is asked again fails as a broken connection', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 1 })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const tenants = tenantPool(pool, { key: TEST_KEY })
  await tenantQuery(tenants, ada, BY_ID)
  const { rows } = await pool.query<{ name: string }>(
    "SELECT name FROM pg_prepared_statements WHERE statement <> 'BEGIN' AND NOT from_sql"
  )
  for (const { name } of rows) await pool.query(`DEALLOCATE ${pg.escapeIdentifier(name)}`)
  pool.once('acquire', client => {
    const { query } = client
    let groups = 0
    t.intercept(client, 'query', {
      value(...given: [never]) {
        // the first group fails for want of the statement, in a transaction; the second is the ROLLBACK
        if (++groups === 2) client.connection.stream.destroy()
        return query.apply(client, given)
      }
    })
  })
  await t.rejects(tenantQuery(tenants, ada, BY_ID), { message: /terminated|closed|not queryable/ })
  t.equal((await tenantQuery(tenants, ada, BY_ID)).rows.length, 1, 'and the next one goes on without')
})

const PLAIN = `version: 1
context: plain
principal: { id: uuid, tenant_id: uuid }
resources:
  agent:
    table: agents
    columns: { id: uuid!, tenant_id: uuid! }
    rules: { mine: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
`

t.test('contexts without signatures, on the embedded database', async t => {
  const { bundle } = loadTexts({ 'plain.yaml': PLAIN })
  if (bundle === null) throw new Error('the policy does not load')
  const prepare = async (client: pg.ClientBase) => {
    await migrate({ database: client, bundle, demo: true })
  }
  const { pool, close } = await openEmbedded({ dataDir: null, prepare })
  t.teardown(close)
  await pool.query('SET SESSION AUTHORIZATION twinrule_app')
  const tenants = tenantPool(pool, { key: null })
  for (let round = 0; round < 2; round++) {
    t.equal((await tenantQuery(tenants, ada, BY_ID)).rowCount, 1)
    t.equal(await withTenant(tenants, ada, async client => (await client.query('TABLE agents')).rowCount), 2)
    await t.rejects(tenantQuery(tenants, ada, 'SELECT 1 / 0'), { code: '22012' })
    const stranger = { userId: DEMO.ada, tenantId: DEMO.globex }
    await t.rejects(tenantQuery(tenants, stranger, 'SELECT 1'), { code: 'TWR_DB_NOT_MEMBER' })
    t.equal((await pool.query('TABLE agents')).rowCount, 0)
  }
})
