import type pg from 'pg'
import type { Database, Postgres } from './cluster.js'
import { demoDatabase, exampleBundle } from './example.js'

/** The id of the tenant or the user of a number; user n is a member of tenant n. */
export function idOf(kind: 'tenant' | 'user', n: number): string {
  return `0000000${kind === 'tenant' ? 'a' : 'b'}-0000-0000-0000-${String(n).padStart(12, '0')}`
}

/** Gives the example database tenants from 1 to `count`, each with a user and with as many agents as its number says. */
export async function addTenants(owner: pg.Client, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    const [tenant, user] = [idOf('tenant', n), idOf('user', n)]
    await owner.query(
      `INSERT INTO tenants (id, name, slug, type, status) VALUES ($1, $2, $2, 'client', 'active')`,
      [tenant, `tenant-${n}`]
    )
    await owner.query(
      `INSERT INTO user_tenants (user_id, tenant_id, role, status) VALUES ($1, $2, 'member', 'active')`,
      [user, tenant]
    )
    await owner.query('INSERT INTO agents (tenant_id, name) SELECT $1, $2 FROM generate_series(1, $3)', [
      tenant,
      `of ${n}`,
      n
    ])
  }
}

/** A fresh database with that many tenants beside the demo data. */
export async function manyTenants(
  t: { teardown(after: () => Promise<void>): void },
  count: number,
  server?: Postgres
): Promise<Database> {
  const database = await demoDatabase(t, await exampleBundle(), server)
  const owner = await database.client()
  await addTenants(owner, count)
  await owner.end()
  return database
}

/** Cancels statements of applications and cuts their connections, as long as there are any. */
export async function disturb(database: Database, areAny: () => boolean): Promise<void> {
  const admin = await database.client()
  const victim = `FROM pg_stat_activity WHERE usename = 'twinrule_app' AND datname = current_database() AND state <> 'idle' ORDER BY random() LIMIT 1`
  for (let n = 1; areAny(); n++) {
    await admin.query(`SELECT ${n % 8 === 0 ? 'pg_terminate_backend' : 'pg_cancel_backend'}(pid) ${victim}`)
    await admin.query('SELECT pg_sleep(0.005)')
  }
  await admin.end()
}

/** In which states the connections of applications are. */
export async function connectionStates(database: Database): Promise<readonly string[]> {
  const open = await database.client()
  const { rows } = await open.query<{ state: string }>(
    `SELECT DISTINCT state FROM pg_stat_activity WHERE usename = 'twinrule_app' AND datname = current_database()`
  )
  await open.end()
  return rows.map(({ state }) => state)
}
