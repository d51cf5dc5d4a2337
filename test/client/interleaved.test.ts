import pg from 'pg'
import t, { type Test } from 'tap'
import { type TenantPool, tenantPool, tenantQuery, withTenant } from '../../src/client.js'
import type { Database } from '../support/cluster.js'
import { TEST_KEY } from '../support/example.js'
import { connectionStates, disturb, idOf, manyTenants } from '../support/many-tenants.js'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TENANTS = 40
const CLIENTS = 12
const OWN = "SELECT tenant_id, name FROM agents WHERE sharing_mode <> 'global'"
const SLOW = `${OWN} AND (SELECT pg_sleep(0.003)) IS NOT NULL`

/** Whole numbers below a limit, the same for the same seed (Park and Miller). */
function randomNumbers(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

interface Tally {
  right: number
  /** Requests of which an answer was wrong, or failed in another way than it may. */
  readonly wrong: string[]
  /** Rows that somebody without a context saw. */
  leftovers: number
  /** Requests that were cancelled or cut in the middle. */
  disturbed: number
}

class OfTheApplication extends Error {}

/** Cancelled, terminated, or the connection went away. */
function isDisturbance(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return /^(57014|57P01|08P01|08006|ECONNRESET|EPIPE)$/.test(code) || /onnection|closed/.test(error.message)
}

/** One request of a tenant, in one of the ways in which applications ask; says what was wrong with it. */
async function request(tenants: TenantPool, tenant: number, kind: number): Promise<string | null> {
  const principal = { userId: idOf('user', tenant), tenantId: idOf('tenant', tenant) }
  const judge = ({ rows }: pg.QueryResult) =>
    rows.length === tenant && rows.every(row => row.tenant_id === principal.tenantId)
      ? null
      : `tenant ${tenant} got ${JSON.stringify(rows.map(({ name }) => name))}`
  const failsWith = async (work: Promise<unknown>, isExpected: (error: unknown) => boolean) => {
    try {
      await work
    } catch (error) {
      if (isExpected(error)) return null
      throw error
    }
    return 'an error did not come out'
  }
  if (kind === 0) return failsWith(tenantQuery(tenants, principal, 'SELECT 1 / 0'), byZero)
  if (kind === 1) {
    const work = withTenant(tenants, principal, async client => {
      await client.query(OWN)
      throw new OfTheApplication()
    })
    return failsWith(work, error => error instanceof OfTheApplication)
  }
  if (kind === 2) {
    const work = withTenant(tenants, principal, client =>
      Promise.all([client.query('SELECT 1 / 0'), client.query(OWN).catch(() => {})])
    )
    return failsWith(work, byZero)
  }
  if (kind === 3) return judge(await tenantQuery(tenants, principal, SLOW))
  if (kind === 4) {
    return withTenant(tenants, principal, async client => {
      const first = judge(await client.query(OWN))
      return first ?? judge(await client.query(SLOW))
    })
  }
  if (kind < 7) return withTenant(tenants, principal, async client => judge(await client.query(OWN)))
  if (kind < 9) return judge(await tenantQuery(tenants, principal, OWN))
  return judge(await tenantQuery(tenants, principal, { name: 'own', text: OWN }))
}

function byZero(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '22012'
}

/** Sends the requests, while somebody cancels statements and cuts connections. */
async function interleave(database: Database, pool: pg.Pool, requests: number): Promise<Tally> {
  const tenants = tenantPool(pool, { key: TEST_KEY })
  const random = randomNumbers(SEED)
  const tally: Tally = { right: 0, wrong: [], leftovers: 0, disturbed: 0 }
  let next = 0
  const one = async () => {
    const [tenant, kind] = [random(TENANTS) + 1, random(12)]
    try {
      if (random(10) === 0) {
        // somebody who forgot the transaction, on a connection that others used
        tally.leftovers += (await pool.query('SELECT id FROM agents')).rowCount ?? 0
        return
      }
      const wrong = await request(tenants, tenant, kind)
      if (wrong === null) tally.right++
      else tally.wrong.push(wrong)
    } catch (error) {
      if (isDisturbance(error)) tally.disturbed++
      else tally.wrong.push(`${String(error)} (kind ${kind})`)
    }
  }
  const worker = async () => {
    while (next++ < requests) await one()
  }
  await Promise.all([disturb(database, () => next < requests), ...Array.from({ length: CLIENTS }, worker)])
  return tally
}

async function check(t: Test, database: Database, url: string, requests = 5_000): Promise<void> {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const pool = new pg.Pool({ connectionString: url, max: CLIENTS })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const { right, wrong, leftovers, disturbed } = await interleave(database, pool, requests)
  t.strictSame(wrong, [])
  t.equal(leftovers, 0)
  t.ok(right > requests / 2, `${right} right, ${disturbed} disturbed`)
  t.ok(disturbed > 0)
  t.strictSame(await connectionStates(database), ['idle'], 'no transaction is left open')
}

for (const [server, requests] of [
  ['usual', 5_000],
  ['registry', 1_000]
] as const) {
  t.test(`requests of many tenants never meet: ${server} server, direct`, async t => {
    const database = await manyTenants(t, TENANTS, server)
    await check(t, database, database.url('twinrule_app'), requests)
  })
}

const program = findPgBouncer()
const absent = program === null ? { skip: 'PgBouncer is not installed (Debian: pgbouncer)' } : {}

t.test('requests of many tenants never meet: through PgBouncer', absent, async t => {
  if (program === null) return
  const database = await manyTenants(t, TENANTS)
  const connections = 3
  await check(t, database, await startPgBouncer(t, database, { program, role: 'twinrule_app', connections }))
})
