import type { ClientBase } from 'pg'
import pg from 'pg'
import { DatabaseError } from '../errors/errors.js'

/**
 * Works with a database: a connected client, which stays open, or a URL.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE
 */
export async function withClient<T>(
  database: string | ClientBase,
  work: (client: ClientBase) => Promise<T>
): Promise<T> {
  if (typeof database !== 'string') return work(database)
  const client = new pg.Client({
    connectionString: database,
    connectionTimeoutMillis: 10_000,
    application_name: 'twinrule migrate'
  })
  // a server that goes away must reject the running query, not end the process
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DatabaseError('TWR_DB_UNREACHABLE', `no connection to migrate with: ${why}`, {
      hint: 'check the URL, and that the server is running and accepts this login',
      cause
    })
  }
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
