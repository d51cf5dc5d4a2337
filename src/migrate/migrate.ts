import type { ClientBase } from 'pg'
import { oldServer, UPDATE_SERVER } from '../db/server-version.js'
import { DatabaseError } from '../errors/errors.js'
import { withDatabase } from './connect.js'
import { goDown } from './down.js'
import { migrationFailure } from './failure.js'
import { dropIndexes, makeIndexes } from './indexes.js'
import { LOCK_TIMEOUT_MS, type Waiting, withRetries } from './locks.js'
import type { MigrateOptions } from './options.js'
import { SEARCH_PATH } from './runner.js'
import { goUp } from './up.js'

/** What a run did, in order. Empty when there was nothing to do. */
export interface MigrationReport {
  readonly steps: readonly string[]
}

/**
 * Brings a database from any earlier state to the compiled policies, or back, in one transaction: a failure leaves
 * everything as it was. Indexes are made after it, one by one, without a lock.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE, TWR_DB_MIGRATION with the migration's name and what to do, or TWR_DB_INDEX
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  return withDatabase(options.database, client => migrateOn(client, options))
}

async function migrateOn(client: ClientBase, options: MigrateOptions): Promise<MigrationReport> {
  const warn = (notice: { severity?: string | undefined; message?: string | undefined }) => {
    if (notice.severity === 'WARNING') options.log?.(`warning: ${notice.message}`)
  }
  client.on('notice', warn)
  try {
    const log = options.log ?? (() => {})
    const steps = await withRetries(client, options.locks ?? {}, log, run => attempt(client, options, run))
    const mode = options.indexes ?? 'concurrently'
    // safety: after the commit, so that neither the policies nor the locks of the migration wait for an index
    const indexes =
      options.direction === 'down'
        ? await dropIndexes(client, mode)
        : await makeIndexes(client, options.bundle, mode, log)
    return { steps: [...steps, ...indexes] }
  } finally {
    client.removeListener('notice', warn)
  }
}

async function attempt(
  client: ClientBase,
  options: MigrateOptions,
  run: Waiting
): Promise<readonly string[]> {
  try {
    // each statement must see what the lock waited for, whatever the server's default isolation
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
    await prepare(client, options)
    const go = options.direction === 'down' ? goDown : goUp
    const steps = await go(client, options, run)
    run.during = 'the commit'
    await client.query('COMMIT')
    return steps
  } catch (cause) {
    // safety: nothing stays half done, above all no table with row-level security and without policies
    await client.query('ROLLBACK').catch(() => {})
    throw migrationFailure(run.during, cause)
  }
}

/** The lock of node-pg-migrate, so that its own command line cannot run at the same time either. */
const LOCK = '7241865325823964'

/** Settings of this transaction alone, the lock, and the demands on server and login. */
async function prepare(client: ClientBase, { locks, log, allowOldServer }: MigrateOptions): Promise<void> {
  await client.query(`${SEARCH_PATH} SET LOCAL client_min_messages = warning;
    SET LOCAL statement_timeout = 0; SET LOCAL check_function_bodies = on; SET LOCAL row_security = on;
    SET LOCAL standard_conforming_strings = on`)
  const { rows } = await client.query<{ superuser: boolean; version: number; login: string }>(
    `SELECT rolsuper AS superuser, current_setting('server_version_num')::int AS version, rolname AS login
     FROM pg_roles WHERE rolname = current_user`
  )
  const [at] = rows
  if (at === undefined || at.version < 140_000) {
    throw new DatabaseError('TWR_DB_MIGRATION', 'twinrule needs PostgreSQL 14 or newer')
  }
  const holes = oldServer(at.version)
  if (holes !== null && allowOldServer !== true) {
    throw new DatabaseError('TWR_DB_MIGRATION', holes, { hint: UPDATE_SERVER })
  }
  if (holes !== null) log?.(`warning: ${holes}`)
  if (!at.superuser) {
    throw new DatabaseError('TWR_DB_MIGRATION', `the login ${at.login} is no superuser`, {
      sqlstate: '42501',
      hint: 'migrate as one (twinrule migrate --database URL): roles, their attributes and rows behind forced row-level security need it'
    })
  }
  const { rows: lock } = await client.query<{ got: boolean }>(
    `SELECT pg_try_advisory_xact_lock(${LOCK}) AS got`
  )
  if (lock[0]?.got !== true) {
    log?.('another migration of this database is running: waiting for it')
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`)
  }
  // waiting for a table makes everybody else wait behind it: rather give up soon and try again
  await client.query(`SET LOCAL lock_timeout = ${locks?.timeoutMs ?? LOCK_TIMEOUT_MS}`)
}
