import type { ClientBase } from 'pg'
import { withClient } from '../db/client.js'

/**
 * Works with a database: a connected client, which stays open, or a URL.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE
 */
export async function withDatabase<T>(
  database: string | ClientBase,
  work: (client: ClientBase) => Promise<T>
): Promise<T> {
  return typeof database === 'string' ? withClient(database, 'twinrule migrate', work) : work(database)
}
