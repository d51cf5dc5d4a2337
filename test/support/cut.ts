import type pg from 'pg'
import type { Database } from './cluster.js'

/** Told before each statement that a client sends: which one it is, from 1, and its text. */
export type Watch = (n: number, text: string) => Promise<void>

/** A client that says before each of its statements which one it is. */
export function watched(client: pg.Client, watch: Watch): pg.Client {
  let n = 0
  const query = async (first: string | pg.QueryConfig, values?: unknown[]) => {
    n += 1
    await watch(n, typeof first === 'string' ? first : first.text)
    return client.query(first, values)
  }
  return new Proxy(client, {
    get(target, key) {
      if (key === 'query') return query
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

/**
 * Runs work with a client whose session the server ends before one of its statements, and waits until it is gone.
 *
 * @returns whether it came to that statement: if not, the work has ended well
 */
export async function cutBefore(
  database: Database,
  admin: pg.Client,
  isTheOne: (n: number, text: string) => boolean,
  work: (client: pg.Client) => Promise<unknown>
): Promise<boolean> {
  const client = await database.client()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  let cut = false
  const watch: Watch = async (n, text) => {
    if (cut || !isTheOne(n, text)) return
    cut = true
    await admin.query('SELECT pg_terminate_backend($1, 10000)', [rows[0]?.pid])
  }
  try {
    await work(watched(client, watch))
  } catch (error) {
    if (!cut) throw error
  } finally {
    await client.end().catch(() => {})
  }
  return cut
}
