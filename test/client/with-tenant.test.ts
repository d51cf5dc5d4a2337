import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { asPlatformAdmin, type TenantPool, tenantPool, tenantQuery, withTenant } from '../../src/client.js'
import type { Database } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'

const ada = { userId: DEMO.ada, tenantId: DEMO.acme }
const gus = { userId: DEMO.gus, tenantId: DEMO.globex }
const root = { userId: DEMO.root, tenantId: DEMO.platform }
const NAMES = 'SELECT name FROM agents ORDER BY name'
const bundle = await exampleBundle()

function poolOf(t: Test, database: Database, config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 1, ...config })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  return pool
}

/** That the connections of a pool are still there, outside of a transaction, and nobody's. */
async function nothingIsLeft(t: Test, { pool }: TenantPool, connections = 1): Promise<void> {
  t.equal(pool.totalCount, connections, 'the connection was kept')
  t.equal(pool.idleCount, connections, 'and given back')
  if (connections === 0) return
  const { rows } = await pool.query(
    `SELECT (SELECT count(*)::int FROM agents) AS agents, current_user::text AS login,
       concat(current_setting('twinrule.tenant_id', true), current_setting('twinrule.context_seal', true)) AS context`
  )
  t.strictSame(rows, [{ agents: 0, login: 'twinrule_app', context: '' }])
}

for (const server of ['usual', 'registry'] as const) {
  t.test(`on the ${server} server`, async t => {
    const database = await demoDatabase(t, bundle, server)
    const admin = await database.client()
    t.teardown(() => admin.end())
    const tenantsOf = (t: Test, config?: pg.PoolConfig) =>
      tenantPool(poolOf(t, database, config), { key: TEST_KEY })

    t.test('each principal sees his rows, in either form, prepared or not', async t => {
      const tenants = tenantsOf(t)
      for (let round = 0; round < 3; round++) {
        for (const [who, count] of [
          [ada, 3],
          [gus, 3]
        ] as const) {
          t.equal((await tenantQuery(tenants, who, NAMES)).rowCount, count)
          const byId = { name: 'by-id', text: 'SELECT id, created_at FROM agents WHERE id = ANY ($1)' }
          const { rows, fields } = await tenantQuery(tenants, who, byId, [[DEMO.agent(1), DEMO.agent(4)]])
          t.strictSame(
            rows.map(({ id }) => id),
            [DEMO.agent(who === ada ? 1 : 4)]
          )
          t.ok(rows[0]?.['created_at'] instanceof Date)
          t.strictSame(
            fields.map(({ name }) => name),
            ['id', 'created_at']
          )
          t.equal(await withTenant(tenants, who, async client => (await client.query(NAMES)).rowCount), count)
        }
      }
      t.strictSame(
        (await tenantQuery(tenants, ada, { text: 'SELECT 1, $1', rowMode: 'array' }, ['x'])).rows,
        [[1, 'x']]
      )
      await nothingIsLeft(t, tenants)
    })

    t.test('a plain result is what the pool gives: types, command, counts', async t => {
      const types = { getTypeParser: () => (text: string) => `<${text}>` }
      const tenants = tenantsOf(t, { types: types as unknown as pg.CustomTypesConfig })
      t.strictSame((await tenantQuery(tenants, ada, 'SELECT 1 AS one, NULL AS none')).rows, [
        { one: '<1>', none: null }
      ])
      const own = { text: 'SELECT 1 AS one', types: pg.types }
      t.strictSame((await tenantQuery(tenants, ada, own)).rows, [{ one: 1 }])
      const updated = await tenantQuery(tenants, ada, 'UPDATE agents SET name = name')
      t.match(updated, { command: 'UPDATE', rowCount: 2, rows: [] })
      t.match(await tenantQuery(tenants, ada, ''), { rows: [] })
    })

    t.test('work that throws is rolled back, work that returns is there', async t => {
      const tenants = tenantsOf(t)
      const rename = (to: string) => `UPDATE agents SET description = '${to}' WHERE id = '${DEMO.agent(1)}'`
      const found = async () =>
        (await admin.query('SELECT description FROM agents WHERE id = $1', [DEMO.agent(1)])).rows[0]
      await withTenant(tenants, ada, client => client.query(rename('first')))
      t.strictSame(await found(), { description: 'first' })
      const failure = new Error('of the application')
      await t.rejects(
        withTenant(tenants, ada, async client => {
          await client.query(rename('second'))
          throw failure
        }),
        failure
      )
      t.strictSame(await found(), { description: 'first' })
      await tenantQuery(tenants, ada, rename('third'))
      t.strictSame(await found(), { description: 'third' })
      await nothingIsLeft(t, tenants)
    })

    t.test('an error of a statement comes out as the server says it, and leaves nothing', async t => {
      const tenants = tenantsOf(t)
      const stranger = { sharing_mode: 'private', tenant_id: DEMO.globex }
      for (let round = 0; round < 2; round++) {
        await t.rejects(tenantQuery(tenants, ada, 'SELECT 1 / 0'), { code: '22012' })
        await t.rejects(tenantQuery(tenants, ada, { name: 'no', text: 'SELECT nothing FROM agents' }), {
          code: '42703'
        })
        await t.rejects(
          tenantQuery(
            tenants,
            ada,
            'INSERT INTO agents (tenant_id, sharing_mode, name) VALUES ($1, $2, $3)',
            [stranger.tenant_id, stranger.sharing_mode, 'x']
          ),
          { code: '42501' }
        )
        await t.rejects(tenantQuery(tenants, ada, 'SELECT $1::int', ['x']), { code: '22P02' })
        await t.rejects(tenantQuery(tenants, ada, 'SELECT $1::int'), { code: '08P01' })
        await t.rejects(
          withTenant(tenants, ada, client => client.query('SELECT 1 / 0')),
          { code: '22012' }
        )
      }
      const unwritable = {
        toPostgres() {
          throw new Error('cannot be written')
        }
      }
      await t.rejects(tenantQuery(tenants, ada, 'SELECT $1', [unwritable]), { message: 'cannot be written' })
      t.equal((await tenantQuery(tenants, ada, NAMES)).rowCount, 3)
      await nothingIsLeft(t, tenants)
    })

    t.test('a statement that failed and was ignored does not look like a success', async t => {
      const tenants = tenantsOf(t)
      const work = withTenant(tenants, ada, async client => {
        await client.query('UPDATE agents SET name = name')
        await client.query('SELECT 1 / 0').catch(() => {})
      })
      await t.rejects(work, { code: 'TWR_DB_TRANSACTION', message: /nothing was committed/ })
      t.equal(
        await withTenant(tenants, ada, async client => {
          await client.query('SAVEPOINT before')
          await client.query('SELECT 1 / 0').catch(() => client.query('ROLLBACK TO before'))
          return (await client.query(NAMES)).rowCount
        }),
        3
      )
      await nothingIsLeft(t, tenants)
    })

    t.test('for who is no member nothing runs', async t => {
      const tenants = tenantsOf(t)
      const stranger = { userId: DEMO.ada, tenantId: DEMO.globex }
      let hasRun = false
      const work = async () => {
        hasRun = true
      }
      await t.rejects(withTenant(tenants, stranger, work), { code: 'TWR_DB_NOT_MEMBER' })
      await t.rejects(tenantQuery(tenants, stranger, 'SELECT pg_advisory_lock(4711)'), {
        code: 'TWR_DB_NOT_MEMBER'
      })
      const locks = await admin.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711")
      t.equal(locks.rowCount, 0, 'a rollback would not have given the lock back')
      await t.rejects(tenantQuery(tenants, { userId: 'x', tenantId: DEMO.acme }, 'SELECT 1'), {
        code: 'TWR_CONFIG'
      })
      const other = tenantPool(tenants.pool, { key: { ...TEST_KEY, kid: 'nobodys' } })
      await t.rejects(withTenant(other, ada, work), { code: 'AZ001' })
      t.equal(hasRun, false)
      await nothingIsLeft(t, tenants)
    })

    t.test('one transaction in another one is refused, and one after another is not', async t => {
      const tenants = tenantsOf(t, { max: 2 })
      const refusal = { code: 'TWR_DB_TRANSACTION', message: /inside of another/ }
      await withTenant(tenants, ada, async () => {
        await t.rejects(
          withTenant(tenants, gus, async () => {}),
          refusal
        )
        await t.rejects(tenantQuery(tenants, ada, 'SELECT 1'), refusal)
        const replica = tenantPool(poolOf(t, database), { key: TEST_KEY })
        t.equal((await tenantQuery(replica, gus, NAMES)).rowCount, 3, 'another pool is another matter')
      })
      await Promise.all([ada, gus].map(who => withTenant(tenants, who, client => client.query(NAMES))))
      await nothingIsLeft(t, tenants, 2)
    })

    t.test('a client that somebody kept is nobody after the work', async t => {
      const tenants = tenantsOf(t)
      const kept = await withTenant(tenants, ada, async client => client)
      await withTenant(tenants, gus, async () => {
        await t.rejects(kept.query(NAMES), { code: 'TWR_DB_TRANSACTION', message: /has ended/ })
        t.throws(() => kept.query(new pg.Query(NAMES)), { code: 'TWR_DB_TRANSACTION' })
      })
      const late = await withTenant(tenants, ada, async client => ({ names: client.query(NAMES) }))
      t.equal((await late.names).rowCount, 3, 'a query that was not awaited is a part of the work')
    })

    t.test('an administrator is one by his role, on record', async t => {
      const tenants = tenantsOf(t)
      const count = async (client: { query(sql: string): Promise<pg.QueryResult> }) =>
        (await client.query(NAMES)).rowCount
      t.equal(await withTenant(tenants, root, count), 1)
      t.equal(await asPlatformAdmin(tenants, root, { reason: 'ticket 4711' }, count), 4)
      await t.rejects(asPlatformAdmin(tenants, ada, { reason: 'curious' }, count), { code: '42501' })
      await t.rejects(asPlatformAdmin(tenants, root, { reason: '', role: 'twinrule_facts' }, count), {
        code: '42501'
      })
      const { rows } = await admin.query('SELECT user_id, reason FROM twinrule.role_entries')
      t.strictSame(rows, [{ user_id: DEMO.root, reason: 'ticket 4711' }])
      await nothingIsLeft(t, tenants)
    })

    t.test('read-only transactions have a context too, and isolation is as asked for', async t => {
      const tenants = tenantsOf(t, { options: '-c default_transaction_read_only=on' })
      t.equal((await tenantQuery(tenants, ada, NAMES)).rowCount, 3)
      await t.rejects(tenantQuery(tenants, ada, 'UPDATE agents SET name = name'), { code: '25006' })
      const options = { isolation: 'serializable', readOnly: false } as const
      const seen = await withTenant(
        tenants,
        ada,
        async client => {
          await client.query('UPDATE agents SET name = name')
          return (await client.query("SELECT current_setting('transaction_isolation') AS level")).rows
        },
        options
      )
      t.strictSame(seen, [{ level: 'serializable' }])
    })

    t.test('a connection that is cut or given up is not used again', async t => {
      const tenants = tenantsOf(t, { query_timeout: 300 })
      const cut = withTenant(tenants, ada, async client => {
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
        await admin.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid])
        await sleep(20)
        await client.query(NAMES)
      })
      await t.rejects(cut)
      await nothingIsLeft(t, tenants, 0)
      await t.rejects(tenantQuery(tenants, ada, 'SELECT pg_sleep(3)'), { message: 'Query read timeout' })
      await nothingIsLeft(t, tenants, 0)
      await t.rejects(
        withTenant(tenants, ada, client => client.query('SELECT pg_sleep(3)')),
        { message: 'Query read timeout' }
      )
      await nothingIsLeft(t, tenants, 0)
      t.equal((await tenantQuery(tenants, gus, NAMES)).rowCount, 3)
      const ended = tenantQuery(tenants, ada, 'SELECT pg_terminate_backend(pg_backend_pid())')
      await t.rejects(ended)
      await nothingIsLeft(t, tenants, 0)
    })

    t.test('a statement that ends or begins transactions by itself leaves none', async t => {
      const tenants = tenantsOf(t)
      for (const text of [
        'COMMIT',
        'ROLLBACK',
        'BEGIN',
        'COMMIT AND CHAIN',
        'DISCARD PLANS',
        'DEALLOCATE ALL'
      ]) {
        await tenantQuery(tenants, ada, text).catch(() => {})
        await withTenant(tenants, ada, client => client.query(text)).catch(() => {})
        await nothingIsLeft(t, tenants)
      }
      t.equal((await tenantQuery(tenants, gus, { name: 'names', text: NAMES })).rowCount, 3)
    })
  })
}
