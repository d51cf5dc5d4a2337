import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientBase } from 'pg'
import pg from 'pg'
import { accessHash, accessSql } from '../backends/sql/access.js'
import { columnsChanged } from '../backends/sql/grants.js'
import { ROLES } from '../backends/sql/names.js'
import { tableGrants } from '../backends/sql/policies.js'
import { catalogIsAsRecorded, recordCatalog } from '../db/catalog/record.js'
import { DatabaseError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'
import { baseNames, readBooks, refuseMissing } from './books.js'
import { migrationFailure } from './failure.js'
import { isVerifierOf, scramVerifier, setPasswordSql } from './passwords.js'
import { ACCESS, BOOKS, runMigrations, SEARCH_PATH } from './runner.js'

/** What to migrate, and how. */
export interface MigrateOptions {
  /** A connected client of a superuser, which stays open; or the URL of one. */
  readonly database: string | ClientBase
  readonly bundle: Bundle
  /** The folder of the numbered migrations; by default the one that comes with twinrule. */
  readonly migrationsDir?: string
  readonly direction?: 'up' | 'down'
  /** How many migrations to undo, the generated part counting as the last one. Default 1. */
  readonly count?: number
  /** Passwords for the two login roles. Without one a role keeps what it has. */
  readonly passwords?: { readonly app?: string | undefined; readonly service?: string | undefined }
  /** Whether to load the demo data afterwards. */
  readonly demo?: boolean
  /** Takes the server's warnings. */
  readonly log?: (line: string) => void
}

/** What a run did, in order. Empty when there was nothing to do. */
export interface MigrationReport {
  readonly steps: readonly string[]
}

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Brings a database from any earlier state to the compiled policies, or back, in one transaction: a failure leaves
 * everything as it was.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_MIGRATION with the migration's name and what to do
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  if (typeof options.database !== 'string') return migrateOn(options.database, options)
  const client = new pg.Client({
    connectionString: options.database,
    connectionTimeoutMillis: 10_000,
    application_name: 'twinrule migrate'
  })
  // a server that goes away must reject the running query, not end the process
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    throw new DatabaseError('TWR_DB_UNREACHABLE', `no connection to migrate with: ${messageOf(cause)}`, {
      hint: 'check the URL, and that the server is running and accepts this login',
      cause
    })
  }
  try {
    return await migrateOn(client, options)
  } finally {
    await client.end()
  }
}

async function migrateOn(client: ClientBase, options: MigrateOptions): Promise<MigrationReport> {
  const warn = (notice: { severity?: string | undefined; message?: string | undefined }) => {
    if (notice.severity === 'WARNING') options.log?.(`warning: ${notice.message}`)
  }
  client.on('notice', warn)
  const steps: string[] = []
  const run = { during: 'the start of the migration' }
  try {
    // each statement must see what the lock waited for, whatever the server's default isolation
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
    await prepare(client)
    if (options.direction === 'down') await goDown(client, options, steps, run)
    else await goUp(client, options, steps, run)
    run.during = 'the commit'
    await client.query('COMMIT')
    return { steps }
  } catch (cause) {
    // safety: nothing stays half done, above all no table with row-level security and without policies
    await client.query('ROLLBACK').catch(() => {})
    throw migrationFailure(run.during, cause)
  } finally {
    client.removeListener('notice', warn)
  }
}

/** Settings of this transaction alone, the lock, and the demands on server and login. */
async function prepare(client: ClientBase): Promise<void> {
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
  if (!at.superuser) {
    throw new DatabaseError('TWR_DB_MIGRATION', `the login ${at.login} is no superuser`, {
      sqlstate: '42501',
      hint: 'migrate as one (twinrule migrate --database URL): roles, their attributes and rows behind forced row-level security need it'
    })
  }
  // the lock of node-pg-migrate, so that its own command line cannot run at the same time either
  await client.query('SELECT pg_advisory_xact_lock(7241865325823964)')
  // waiting for a table makes everybody else wait behind it: rather give up and be run again
  await client.query("SET LOCAL lock_timeout = '60s'")
}

interface Progress {
  during: string
}

async function goUp(
  client: ClientBase,
  options: MigrateOptions,
  steps: string[],
  run: Progress
): Promise<void> {
  const dir = options.migrationsDir ?? join(PACKAGE, 'migrations')
  const books = await readBooks(client)
  const names = await baseNames(dir)
  refuseMissing(dir, names, books.applied)
  const wanted = names.every(name => books.applied.includes(name))
  // policies may differ in what only the app asks: the SQL is the same then, the revision is not
  const held = books.revision === options.bundle.revision && books.hash === accessHash(options.bundle)
  const upToDate =
    wanted &&
    held &&
    (await catalogIsAsRecorded(client, options.bundle)) &&
    (await columnsAreGranted(client, options.bundle))
  // the generated part comes last: forget it, so that it runs after new base migrations and in its new text
  if (!upToDate && books.exists) await client.query(`DELETE FROM ${BOOKS} WHERE name = $1`, [ACCESS])
  const done = await runMigrations({ client, dir, direction: 'up', access: accessSql(options.bundle), run })
  for (const name of done) {
    steps.push(
      name === ACCESS ? `applied the access rules of revision ${options.bundle.revision}` : `applied ${name}`
    )
  }
  run.during = 'the record of the migration'
  if (done.includes(ACCESS)) {
    await client.query('UPDATE twinrule.state SET down_sql = $1', [accessSql(options.bundle).down])
    await recordCatalog(client, options.bundle)
  }
  await setPasswords(client, options.passwords ?? {}, steps, run)
  if (options.demo === true) await loadDemo(client, steps, run)
}

/** A column that a table got since is in no grant yet. */
async function columnsAreGranted(client: ClientBase, bundle: Bundle): Promise<boolean> {
  const query = columnsChanged(tableGrants(bundle))
  if (query === null) return true
  const { rows } = await client.query<{ changed: boolean }>(String(query))
  return rows[0]?.changed === false
}

async function goDown(
  client: ClientBase,
  options: MigrateOptions,
  steps: string[],
  run: Progress
): Promise<void> {
  const dir = options.migrationsDir ?? join(PACKAGE, 'migrations')
  const { applied, downSql } = await readBooks(client)
  refuseMissing(dir, await baseNames(dir), applied)
  const access = { ...accessSql(options.bundle), ...(downSql === null ? {} : { down: downSql }) }
  const done = await runMigrations({ client, dir, direction: 'down', count: options.count ?? 1, access, run })
  for (const name of done) steps.push(name === ACCESS ? 'removed the access rules' : `undid ${name}`)
}

async function setPasswords(
  client: ClientBase,
  passwords: NonNullable<MigrateOptions['passwords']>,
  steps: string[],
  run: Progress
): Promise<void> {
  for (const [which, password] of Object.entries(passwords)) {
    if (password === undefined) continue
    const role = which === 'app' ? ROLES.app : ROLES.service
    run.during = `the password of ${role}`
    const { rows } = await client.query<{ rolpassword: string | null }>(
      'SELECT rolpassword FROM pg_authid WHERE rolname = $1',
      [role]
    )
    if (isVerifierOf(rows[0]?.rolpassword ?? null, password)) continue
    await client.query(setPasswordSql(role, scramVerifier(password)))
    steps.push(`set the password of ${role}`)
  }
}

async function loadDemo(client: ClientBase, steps: string[], run: Progress): Promise<void> {
  run.during = 'the demo data'
  const { rows } = await client.query<{ loaded: boolean }>(
    `SELECT EXISTS (SELECT FROM public.tenants WHERE id = '00000000-0000-0000-0000-00000000000a') AS loaded`
  )
  await client.query(await readFile(join(PACKAGE, 'examples', 'demo.sql'), 'utf8'))
  if (rows[0]?.loaded !== true) steps.push('loaded the demo data')
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
