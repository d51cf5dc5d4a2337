import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import { id, sql } from '../backends/sql/fragment.js'
import { DatabaseError } from '../errors/errors.js'

/** How a migration asks for locks: shortly, and again and again, so that nobody has to queue behind it for long. */
export interface LockOptions {
  /** The longest that applications may wait behind one attempt, in milliseconds. Default 500. */
  readonly timeoutMs?: number
  /** How many attempts there are. Default 30: some minutes. */
  readonly attempts?: number
}

/** The default of `timeoutMs`. */
export const LOCK_TIMEOUT_MS = 500
const ATTEMPTS = 30
const MAX_PAUSE_MS = 10_000
/** lock_not_available and deadlock_detected: another attempt may do. */
const BUSY = ['55P03', '40P01']

/**
 * Locks tables against everyone, all of them within one timeout: from the first lock on the application waits.
 *
 * @param run told which table is next, so that a failure can name it
 */
export async function lockTables(
  client: ClientBase,
  tables: readonly string[],
  { timeoutMs = LOCK_TIMEOUT_MS }: LockOptions,
  run: Waiting
): Promise<void> {
  const until = performance.now() + timeoutMs
  for (const table of tables) {
    run.during = `the lock on public.${table}`
    run.table = table
    const left = Math.max(1, Math.round(until - performance.now()))
    await client.query(`SET LOCAL lock_timeout = ${left}`)
    await client.query(String(sql`LOCK TABLE public.${id(table)} IN ACCESS EXCLUSIVE MODE`))
  }
  run.table = null
  await client.query(`SET LOCAL lock_timeout = ${timeoutMs}`)
}

/** What an attempt is doing, and the table whose lock it waits for. */
export interface Waiting {
  during: string
  table: string | null
}

/**
 * Runs `attempt`, which ends its transaction in any case, until it is not stopped by somebody else's lock.
 *
 * @param log told about each pause, and who holds the lock
 */
export async function withRetries<T>(
  client: ClientBase,
  { attempts = ATTEMPTS }: LockOptions,
  log: (line: string) => void,
  attempt: (run: Waiting) => Promise<T>
): Promise<T> {
  for (let n = 1; ; n++) {
    const run: Waiting = { during: 'the start of the migration', table: null }
    try {
      return await attempt(run)
    } catch (error) {
      if (!isBusy(error)) throw error
      const holders = await holdersOf(client, run.table)
      if (n >= attempts) throw givenUp(error, n, holders)
      const pause = Math.round(Math.min(MAX_PAUSE_MS, 250 * 2 ** (n - 1)) * (0.5 + Math.random() / 2))
      log(
        `waited for ${run.during}${holders}: everything was rolled back, attempt ${n + 1} of ${attempts} in ${pause} ms`
      )
      await sleep(pause)
    }
  }
}

function givenUp(cause: DatabaseError, attempts: number, holders: string): DatabaseError {
  const message = `${cause.message} in ${attempts} attempts${holders}`
  const hint = 'end that session, or migrate again when it has ended: nothing was changed'
  return new DatabaseError('TWR_DB_MIGRATION', message, { cause, sqlstate: cause.sqlstate, hint })
}

function isBusy(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.sqlstate !== undefined && BUSY.includes(error.sqlstate)
}

/** Who holds a lock on the table, for a person who has to decide whether to end that session. */
async function holdersOf(client: ClientBase, table: string | null): Promise<string> {
  if (table === null) return ''
  const { rows } = await client.query<{ holder: string }>(
    `SELECT format('process %s of %s (%s for %s s)', a.pid, COALESCE(a.usename, '?'), a.state,
       round(extract(epoch FROM now() - COALESCE(a.xact_start, a.backend_start)))) AS holder
     FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
     WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.locktype = 'relation' AND l.relation = to_regclass($1) AND l.pid <> pg_backend_pid()
     ORDER BY a.xact_start LIMIT 3`,
    [String(sql`public.${id(table)}`)]
  )
  return rows.length === 0 ? '' : `, held by ${rows.map(({ holder }) => holder).join(', ')}`
}
