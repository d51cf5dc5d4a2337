import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { ConfigError, DatabaseError } from '../errors/errors.js'
import { ACCESS, ACCESS_FILE, BASE_NAME, BOOKS } from './runner.js'

/** A migration that was run, the generated part being one of them. */
export interface Run {
  readonly name: string
  readonly at: Date
}

/** What earlier runs left written down in the database. */
export interface Books {
  readonly exists: boolean
  readonly applied: readonly string[]
  readonly runs: readonly Run[]
  readonly revision: string | null
  readonly hash: string | null
  readonly migratedAt: Date | null
  /** How to undo the generated part, where an earlier build of twinrule wrote it down in one piece. */
  readonly downSql: string | null
}

/** Reads what earlier runs left written down. */
export async function readBooks(client: ClientBase): Promise<Books> {
  const { rows } = await client.query<{ books: boolean; state: boolean }>(
    `SELECT to_regclass('${BOOKS}') IS NOT NULL AS books, to_regclass('twinrule.state') IS NOT NULL AS state`
  )
  const exists = rows[0]?.books === true
  const runs = exists
    ? (await client.query<Run>(`SELECT name, run_on AS at FROM ${BOOKS} ORDER BY run_on, name`)).rows
    : []
  const books = { exists, runs, applied: runs.map(({ name }) => name) }
  if (rows[0]?.state !== true)
    return { ...books, revision: null, hash: null, migratedAt: null, downSql: null }
  const state = await client.query<{ revision: string; hash: string; at: Date; down: string | null }>(
    `SELECT revision, sql_sha256 AS hash, migrated_at AS at, to_jsonb(s)->>'down_sql' AS down FROM twinrule.state AS s`
  )
  const [row] = state.rows
  return {
    ...books,
    revision: row?.revision ?? null,
    hash: row?.hash ?? null,
    migratedAt: row?.at ?? null,
    downSql: row?.down ?? null
  }
}

/**
 * Refuses a folder that is not the one with which the database was migrated.
 *
 * @throws DatabaseError TWR_DB_MIGRATION when it lacks a migration that was run
 */
export function refuseMissing(dir: string, names: readonly string[], applied: readonly string[]): void {
  const missing = applied.filter(name => name !== ACCESS && !names.includes(name)).sort()
  if (missing.length === 0) return
  const files = missing.map(name => `${name}.sql`).join(', ')
  throw new DatabaseError(
    'TWR_DB_MIGRATION',
    `${dir} lacks migrations that this database has run: ${files}`,
    {
      hint: 'name the folder that holds them, always the same one: --migrations DIR'
    }
  )
}

/**
 * The numbered migrations of a folder, each number once: two of one number would have no order.
 *
 * @throws ConfigError when the folder holds none, or a file that looks like one and would not run
 */
export async function baseNames(dir: string): Promise<readonly string[]> {
  const files = await readdir(dir).catch((): string[] => [])
  const names = files.filter(name => BASE_NAME.test(name)).sort()
  // a migration that is passed over in silence is one that somebody believes to have run
  const odd = files.find(
    name => /\.(?:sql|[cm]?[jt]s)$/.test(name) && !BASE_NAME.test(name) && name !== ACCESS_FILE
  )
  if (odd !== undefined) {
    throw new ConfigError('TWR_CONFIG', `${join(dir, odd)} is not a migration that can be run`, {
      hint: 'name it like 0003_what_it_does.sql'
    })
  }
  if (names.length === 0) {
    throw new ConfigError('TWR_CONFIG', `${dir} holds no numbered migration`, {
      hint: 'name the folder that holds 0001_tenancy.sql'
    })
  }
  const numbers = names.map(name => Number.parseInt(name, 10))
  const twice = numbers.find((number, i) => numbers.indexOf(number) !== i)
  if (twice !== undefined) {
    throw new ConfigError('TWR_CONFIG', `two migrations in ${dir} have the number ${twice}`)
  }
  return names.map(name => name.replace(/\.sql$/, ''))
}
