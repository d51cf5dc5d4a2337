import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import { createIndex, dropIndex, indexesOf, isOwnIndex, type WantedIndex } from '../backends/sql/indexes.js'
import { type ChangedItem, changedItems, recordCatalog } from '../db/catalog/record.js'
import { DatabaseError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'

/** How indexes are made: without a lock that others feel, with one (where nobody else is connected), or not at all. */
export type IndexMode = 'concurrently' | 'plain' | 'none'

/** An index that is not there. */
export interface MissingIndex extends WantedIndex {
  /** PostgreSQL makes no index on a partitioned table without a lock: that is for the operator to decide. */
  readonly partitioned: boolean
}

/** The indexes that a policy needs and a database lacks: no valid one of the method begins with the column. */
export async function missingIndexes(client: ClientBase, bundle: Bundle): Promise<readonly MissingIndex[]> {
  const { rows } = await client.query<MissingIndex>(
    `SELECT w.*, c.relkind = 'p' AS partitioned
     FROM jsonb_to_recordset($1::jsonb) AS w (name text, "table" text, "column" text, method text)
     JOIN pg_class AS c ON c.relnamespace = 'public'::regnamespace AND c.relname = w.table AND c.relkind IN ('r', 'p')
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.column AND NOT a.attisdropped
     WHERE NOT EXISTS (
       SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisready AND i.indislive AND i.indpred IS NULL
         AND CASE w.method WHEN 'gin' THEN m.amname = 'gin' AND a.attnum = ANY (i.indkey)
           ELSE m.amname IN ('btree', 'hash') AND i.indkey[0] = a.attnum END
     ) ORDER BY w.name`,
    [JSON.stringify(indexesOf(bundle))]
  )
  return rows
}

/** Makes what is missing, after the transaction of the migration. What was left half made is made again. */
export async function makeIndexes(
  client: ClientBase,
  bundle: Bundle,
  mode: IndexMode,
  log: (line: string) => void
): Promise<readonly string[]> {
  if (mode === 'none') return []
  const steps: string[] = []
  const run = { during: 'the look at the indexes' }
  try {
    await makeAll(client, bundle, mode === 'concurrently', { steps, run, log })
    await recordIndexes(client, bundle)
    return steps
  } catch (cause) {
    throw indexFailure(run.during, cause)
  }
}

interface Making {
  readonly steps: string[]
  readonly run: { during: string }
  readonly log: (line: string) => void
}

async function makeAll(
  client: ClientBase,
  bundle: Bundle,
  concurrently: boolean,
  { steps, run, log }: Making
): Promise<void> {
  for (const index of await missingIndexes(client, bundle)) {
    const { name, table, column, method, partitioned } = index
    if (partitioned) {
      log(
        `warning: ${table} is partitioned and has no ${method} index on ${column}: make one partition by partition`
      )
      continue
    }
    run.during = `the index ${name} on ${table}`
    log(`making the index ${name} on ${table} (${column})`)
    const made = await unlimited(client, () => makeIndex(client, bundle, index, concurrently, log))
    if (made) steps.push(`made the index ${name}`)
  }
}

/** Whether something in the catalog is an index that twinrule makes or drops outside of the transaction. */
export function isOwnIndexItem({ item }: ChangedItem): boolean {
  return item.kind === 'index' && isOwnIndex(item.name.split(' ON ')[0] ?? '')
}

/** Writes the new indexes down, unless something else has changed meanwhile: that is for the next migration to see. */
async function recordIndexes(client: ClientBase, bundle: Bundle): Promise<void> {
  await client.query('BEGIN')
  try {
    const changed = (await changedItems(client, bundle)) ?? []
    if (changed.length > 0 && changed.every(isOwnIndexItem)) await recordCatalog(client, bundle)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** How often an index is begun anew: another runner may have begun the same one at the same moment. */
const ATTEMPTS = 10
/** duplicate_table, unique_violation, deadlock_detected: two runners met. */
const MET = ['42P07', '23505', '40P01']

/** Whether two runners met. When both change the row of the table in the catalog, the server has no code for it. */
function hasMet(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return MET.includes(code) || (code === 'XX000' && message.startsWith('tuple concurrently '))
}

async function makeIndex(
  client: ClientBase,
  bundle: Bundle,
  index: WantedIndex,
  concurrently: boolean,
  log: (line: string) => void
): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await untilNobodyBuilds(client, index.table, log)
    if (!(await isMissing(client, bundle, index))) return false
    try {
      // what an interrupted run has left is of no use, and in the way
      if (await isInvalid(client, index.name)) await client.query(String(dropIndex(index.name, concurrently)))
      await client.query(String(createIndex(index, concurrently)))
      return true
    } catch (error) {
      if (!hasMet(error)) throw error
      await sleep(100 + Math.random() * 400)
    }
  }
  if (await isMissing(client, bundle, index)) throw new Error('another index has its name')
  return false
}

function indexFailure(which: string, cause: unknown): DatabaseError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new DatabaseError('TWR_DB_INDEX', `${which} failed: ${why}`, {
    cause,
    hint: 'the policies are in place: run the same again to finish, or make the index by hand'
  })
}

async function isMissing(client: ClientBase, bundle: Bundle, { name }: WantedIndex): Promise<boolean> {
  return (await missingIndexes(client, bundle)).some(index => index.name === name)
}

async function isInvalid(client: ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ invalid: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
       WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 AND NOT i.indisvalid) AS invalid`,
    [name]
  )
  return rows[0]?.invalid === true
}

/** An index that somebody is making is not valid either, and must not be taken for one that was left behind. */
async function untilNobodyBuilds(
  client: ClientBase,
  table: string,
  log: (line: string) => void
): Promise<void> {
  for (let look = 0; ; look++) {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT p.pid FROM pg_stat_progress_create_index AS p JOIN pg_class AS c ON c.oid = p.relid
       WHERE p.datname = current_database() AND p.pid <> pg_backend_pid()
         AND c.relnamespace = 'public'::regnamespace AND c.relname = $1`,
      [table]
    )
    const [builder] = rows
    if (builder === undefined) return
    if (look === 0) log(`process ${builder.pid} is making an index on ${table}: waiting for it`)
    await sleep(250)
  }
}

/**
 * Making an index takes its time, and a timeout would leave half of it. Set for the session, because an index is made
 * concurrently outside of a transaction, where SET LOCAL has no effect. Afterwards the session is as it was.
 */
async function unlimited<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  const names = ['lock_timeout', 'statement_timeout']
  const { rows } = await client.query<{ name: string; value: string }>(
    'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
    [names]
  )
  const set = (name: string, value: string) => client.query('SELECT set_config($1, $2, false)', [name, value])
  for (const name of names) await set(name, '0')
  try {
    return await work()
  } finally {
    for (const { name, value } of rows) await set(name, value).catch(() => {})
  }
}

/** Drops the indexes that twinrule made, after the transaction of the way down. */
export async function dropIndexes(client: ClientBase, mode: IndexMode): Promise<readonly string[]> {
  if (mode === 'none') return []
  try {
    return await unlimited(client, () => dropAll(client, mode === 'concurrently'))
  } catch (cause) {
    throw indexFailure('dropping the indexes', cause)
  }
}

async function dropAll(client: ClientBase, concurrently: boolean): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'i' ORDER BY 1`
  )
  const own = rows.map(({ name }) => name).filter(isOwnIndex)
  for (const name of own) await client.query(String(dropIndex(name, concurrently)))
  return own.map(name => `dropped the index ${name}`)
}
