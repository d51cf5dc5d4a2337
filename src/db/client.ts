import pg from 'pg'
import { databaseFault } from './fault.js'

/** To get a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000

/**
 * Gives work one connection of its own and closes it.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE, and whatever the work throws
 */
export async function withClient<T>(
  url: string,
  name: string,
  work: (client: pg.Client) => Promise<T>
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: name
  })
  // a server that goes away must reject the running query, not end the process
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    await client.end().catch(() => {})
    throw databaseFault(cause)
  }
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}
