import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { namesIn, parameterized } from './placeholders.js'
import type { Asking, Row, SqlRequest, Target, Tenant } from './request.js'

const CONNECT_TIMEOUT_MS = 10_000
/** A statement that fails, as any may: a constraint, a deadlock, a mistake. */
const FAILING = 'SELECT 1 / 0'

/** A connection that went away while its statement ran. */
class Abandoned extends Error {}

/**
 * A query over a pool, with what the application says before it. Connections go back to the pool as they are: an
 * application does not clean them either.
 */
export function sqlTarget(request: SqlRequest, pool: pg.Pool): Target {
  return {
    request,
    takesNobody: namesIn(request.sql).length === 0,
    disturbances: ['cancel', 'fail', 'abandon'],
    async ask(asking) {
      const client = await pool.connect()
      const onError = () => {}
      client.on('error', onError)
      let isLost = false
      try {
        return await transaction(client, request, asking)
      } catch (error) {
        isLost = error instanceof Abandoned || !isOfServer(error)
        throw error
      } finally {
        client.off('error', onError)
        client.release(isLost)
      }
    }
  }
}

/** A pool as an application has one, whose connections are used by all tenants. */
export function poolOf(url: string, connections: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'twinrule leakcheck'
  })
  // a server that goes away rejects what runs, and must not end the process
  pool.on('error', () => {})
  return pool
}

async function transaction(
  client: pg.PoolClient,
  request: SqlRequest,
  asking: Asking
): Promise<readonly Row[]> {
  if (!request.transaction) return statements(client, request, asking)
  await client.query('BEGIN')
  try {
    const rows = await statements(client, request, asking)
    await client.query('COMMIT')
    return rows
  } catch (error) {
    if (isOfServer(error)) await client.query('ROLLBACK')
    throw error
  }
}

async function statements(
  client: pg.PoolClient,
  { context, sql }: SqlRequest,
  { tenant, disturbance, afterMs }: Asking
): Promise<readonly Row[]> {
  for (const text of tenant === null ? [] : context) await run(client, text, tenant)
  if (disturbance === 'fail') await client.query(FAILING)
  const answer = run(client, sql, tenant)
  if (disturbance === null) return answer
  // whatever comes of it is told below
  answer.catch(() => {})
  await sleep(afterMs)
  if (disturbance === 'abandon') throw new Abandoned('the connection was cut')
  cancel(client)
  return answer
}

async function run(client: pg.PoolClient, text: string, tenant: Tenant | null): Promise<readonly Row[]> {
  const { rows } = await client.query(tenant === null ? { text } : parameterized(text, tenant))
  return rows
}

/** Asks the server, over a connection of its own, to cancel what runs on this one (manual, 55.2.9). */
function cancel(client: pg.PoolClient): void {
  const { processID, secretKey } = client as unknown as {
    readonly processID: number
    readonly secretKey: number
  }
  const connection = new pg.Connection() as Canceller
  connection.on('error', () => {})
  connection.on('connect', () => connection.cancel(processID, secretKey))
  connection.connect(client.port, client.host)
}

/** What `pg` has and its types do not say. */
type Canceller = pg.Connection & {
  connect(port: number, host: string): void
  cancel(processID: number, secretKey: number): void
}

/** The server has answered, so the connection is as sound as it was. */
function isOfServer(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity !== 'FATAL'
}
