import type { ClientBase } from 'pg'
import { enterContext, type keyForTests } from '../testing/context.js'
import type { PlanNode } from './plan.js'
import type { Statement } from './statements.js'

/** For whom a statement is asked. */
export interface Principal {
  readonly user: string
  readonly tenant: string
}

/** What EXPLAIN says of a statement. */
export interface Explained {
  readonly plan: PlanNode
  readonly planning: number
  /** null when it was not run. */
  readonly execution: number | null
}

interface Options {
  readonly key: Awaited<ReturnType<typeof keyForTests>>
  /** null for the superuser, for whom no policy counts. */
  readonly principal: Principal | null
  readonly runs: boolean
  /** Whether an index is to be used wherever one can be. */
  readonly indexesOnly?: boolean
  /** Where tables are looked for. */
  readonly path: string
}

/** Explains a statement in a part of the transaction that is rolled back. It may read only. */
export async function explain(
  client: ClientBase,
  statement: Statement,
  options: Options
): Promise<Explained> {
  const { key, principal, runs, indexesOnly = false, path } = options
  await client.query('SAVEPOINT explained')
  try {
    if (indexesOnly) await client.query('SET LOCAL enable_seqscan = off')
    await client.query("SELECT set_config('search_path', $1, true)", [path])
    if (principal !== null) await enterContext(client, key, { ...principal, role: null })
    // safety: a statement of a file or of the statistics must change nothing, also through functions that it calls
    await client.query('SET LOCAL transaction_read_only = on')
    const analyze = runs && statement.mayRun
    const form = `EXPLAIN (FORMAT JSON, VERBOSE ${analyze ? ', ANALYZE, TIMING' : ''})`
    const query = statement.isOpen ? await opened(client, statement.text) : statement.text
    const text = statement.isOpen ? `EXPLAIN (FORMAT JSON, VERBOSE) ${query}` : `${form} ${query}`
    const { rows } = await client.query<{ 'QUERY PLAN': readonly [Raw] }>(text)
    const raw = rows[0]?.['QUERY PLAN'][0]
    if (raw === undefined) throw new Error('EXPLAIN said nothing')
    return {
      plan: raw.Plan,
      planning: raw['Planning Time'] ?? 0,
      execution: raw['Execution Time'] ?? null
    }
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT explained')
    // a prepared statement is the session's
    if (statement.isOpen) await client.query('DEALLOCATE ALL')
  }
}

interface Raw {
  readonly Plan: PlanNode
  readonly 'Planning Time'?: number
  readonly 'Execution Time'?: number
}

/** A statement without its values, as a generic plan would run it. */
async function opened(client: ClientBase, text: string): Promise<string> {
  await client.query("SET LOCAL plan_cache_mode = 'force_generic_plan'")
  await client.query(`PREPARE advised AS ${text}`)
  const { rows } = await client.query<{ count: number }>(
    "SELECT cardinality(parameter_types) AS count FROM pg_prepared_statements WHERE name = 'advised'"
  )
  const nulls = Array.from({ length: rows[0]?.count ?? 0 }, () => 'NULL')
  return `EXECUTE advised${nulls.length === 0 ? '' : `(${nulls.join(', ')})`}`
}
