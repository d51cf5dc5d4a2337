import pg from 'pg'
import t from 'tap'
import { DEMO, demoDatabase, exampleBundle, openContext } from '../support/example.js'
import { addTenants, idOf } from '../support/many-tenants.js'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.js'

const program = findPgBouncer()
const absent = program === null ? { skip: 'PgBouncer is not installed (Debian: pgbouncer)' } : {}

const TENANTS = 40
const REQUESTS = 1_000
const CLIENTS = 12

t.test('a thousand interleaved requests of many tenants through PgBouncer never meet', absent, async t => {
  if (program === null) return
  const database = await demoDatabase(t, await exampleBundle())
  const owner = await database.client()
  t.teardown(() => owner.end())
  await addTenants(owner, TENANTS)
  const url = await startPgBouncer(t, database, { program, role: 'twinrule_app', connections: 3 })
  const pool = new pg.Pool({ connectionString: url, max: CLIENTS })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  let next = 0
  let wrong = 0
  let leftovers = 0
  const one = async (n: number): Promise<void> => {
    const client = await pool.connect()
    try {
      if (n % 10 === 0) {
        // somebody who forgot the transaction, on a connection that others used
        leftovers += (await client.query('SELECT id FROM agents')).rowCount ?? 0
        return
      }
      const tenant = (n % TENANTS) + 1
      await client.query('BEGIN')
      const valid = await openContext(client, idOf('user', tenant), idOf('tenant', tenant))
      const { rows } = await client.query<{ name: string; tenant_id: string }>(
        `SELECT name, tenant_id FROM agents, (SELECT ${n % 7 === 0 ? 'pg_sleep(0.002)' : '1'} OFFSET 0) AS pause WHERE sharing_mode <> 'global'`
      )
      const own = rows.filter(row => row.tenant_id === idOf('tenant', tenant))
      if (!valid || own.length !== tenant || rows.length !== tenant) wrong++
      await client.query(n % 3 === 0 ? 'ROLLBACK' : 'COMMIT')
    } finally {
      client.release()
    }
  }
  const worker = async (): Promise<void> => {
    for (let n = next++; n < REQUESTS; n = next++) await one(n)
  }
  await Promise.all(Array.from({ length: CLIENTS }, worker))
  t.equal(wrong, 0)
  t.equal(leftovers, 0)
})

t.test(
  'a context for the session is nobody, for the next client of the same connection too',
  absent,
  async t => {
    if (program === null) return
    const database = await demoDatabase(t, await exampleBundle())
    const url = await startPgBouncer(t, database, { program, role: 'twinrule_app', connections: 1 })
    const client = async () => {
      const made = new pg.Client(url)
      made.on('error', () => {})
      await made.connect()
      t.teardown(() => made.end())
      return made
    }
    const [first, second] = [await client(), await client()]
    await first.query('BEGIN')
    t.equal(await openContext(first, DEMO.ada, DEMO.acme), true)
    await first.query(
      `SELECT set_config(name, current_setting(name), false) FROM unnest(ARRAY['twinrule.user_id', 'twinrule.tenant_id', 'twinrule.context_seal']) AS name`
    )
    t.equal((await first.query('SELECT id FROM agents')).rowCount, 3)
    await first.query('COMMIT')
    const { rows } = await second.query(`SELECT current_setting('twinrule.tenant_id', true) AS tenant`)
    t.equal(rows[0].tenant, DEMO.acme, 'the setting did go from client to client')
    t.equal((await second.query('SELECT id FROM agents')).rowCount, 0)
    t.equal((await first.query('SELECT id FROM agents')).rowCount, 0)
  }
)
