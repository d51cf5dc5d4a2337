import type { ClientBase } from 'pg'
import { type LiveTable, readTables } from '../db/catalog/tables.js'
import { databaseFault } from '../db/fault.js'
import type { Relation } from '../ir/formula.js'
import type { Bundle, Resource } from '../ir/model.js'
import { loadParser, type Parser } from '../prove/read-back.js'
import { columnMismatches } from './columns.js'
import { indexMismatches } from './indexes.js'
import { type Mismatch, mismatchAt } from './mismatch.js'
import { oracleMismatches } from './oracles.js'

/** What was compared, and what is different. */
export interface LiveCheck {
  readonly tables: number
  readonly columns: number
  /** In the order of files and lines. */
  readonly mismatches: readonly Mismatch[]
}

/**
 * Compares the declarations of a policy with the tables of a live database. Any login may ask.
 *
 * @throws DatabaseError when the database cannot be asked
 */
export async function checkLive(client: ClientBase, bundle: Bundle): Promise<LiveCheck> {
  const related = bundle.resources.flatMap(({ relations }) => relations.flatMap(({ table }) => table ?? []))
  const names = [...new Set([...bundle.resources.flatMap(({ table }) => table ?? []), ...related])]
  const tables = await readTables(client, names).catch(cause => {
    throw databaseFault(cause)
  })
  const parse = await loadParser()
  const byName = new Map(tables.map(table => [table.name, table]))
  const mismatches = [
    ...bundle.resources.flatMap(resource => resourceMismatches(resource, byName, bundle, parse)),
    ...indexMismatches(bundle, byName),
    ...oracleMismatches(bundle, byName)
  ]
  const columns = bundle.resources.reduce(
    (sum, one) => sum + (one.table === null ? 0 : one.columns.length),
    0
  )
  return { tables: tables.length, columns, mismatches: mismatches.sort(byPlace) }
}

type Tables = ReadonlyMap<string, LiveTable>

function resourceMismatches(
  resource: Resource,
  tables: Tables,
  bundle: Bundle,
  parse: Parser
): readonly Mismatch[] {
  const { name, table, columns, relations, span } = resource
  if (table === null) return []
  const live = tables.get(table)
  const missing = tableMismatch(name, table, live, span)
  const own =
    live === undefined || missing.length > 0
      ? []
      : [
          ...columns.flatMap(column => columnMismatches({ owner: name, column, span }, live, parse)),
          ...keyMismatch(resource, live)
        ]
  const managed = new Set(bundle.resources.map(one => one.table))
  return [
    ...missing,
    ...own,
    ...relations.flatMap(relation => relationMismatches(resource, relation, { tables, managed, parse }))
  ]
}

function tableMismatch(
  owner: string,
  table: string,
  live: LiveTable | undefined,
  span: Resource['span']
): readonly Mismatch[] {
  if (live !== undefined && (live.relation === 'r' || live.relation === 'p')) return []
  const { error } = mismatchAt(span)
  return live === undefined
    ? [
        error(
          'TWR_CATALOG_TABLE',
          `${owner} names the table public.${table}, which is not there`,
          'create it in a numbered migration, or correct the name'
        )
      ]
    : [
        error(
          'TWR_CATALOG_TABLE',
          `${owner} names public.${table}, which is no table`,
          'row-level security is for tables: name the one behind it'
        )
      ]
}

/** The facts of a decision are read by id, and of two rows with one id nobody could say which was meant. */
function keyMismatch({ name, columns, table }: Resource, live: LiveTable): readonly Mismatch[] {
  const id = columns.find(column => column.name === 'id')
  if (id === undefined || isUnique(live, 'id') || !live.columns.some(column => column.name === 'id'))
    return []
  return [
    mismatchAt(id.span).error(
      'TWR_CATALOG_KEY',
      `public.${table}.id is not unique by itself; the service reads rows of ${name} by their id`,
      `run ALTER TABLE public.${table} ADD UNIQUE (id)`
    )
  ]
}

function isUnique({ indexes }: LiveTable, column: string): boolean {
  return indexes.some(
    ({ unique, whole, columns }) => unique && whole && columns.length === 1 && columns[0] === column
  )
}

interface Around {
  readonly tables: Tables
  readonly managed: ReadonlySet<string | null>
  readonly parse: Parser
}

function relationMismatches(
  { name }: Resource,
  relation: Relation,
  { tables, managed, parse }: Around
): readonly Mismatch[] {
  const { table, cardinality, remote, columns, span } = relation
  const owner = `${name}.${relation.name}`
  const live = table === null ? undefined : tables.get(table)
  if (table === null) return []
  // the columns of a resource are compared where it is declared
  const missing = managed.has(table) ? [] : tableMismatch(owner, table, live, span)
  if (live === undefined || missing.length > 0) return missing
  const own = managed.has(table)
    ? []
    : columns.flatMap(column => columnMismatches({ owner, column, span }, live, parse))
  const there = live.columns.some(column => column.name === remote)
  if (cardinality === 'many' || !there || isUnique(live, remote)) return own
  const message = `public.${table}.${remote} is not unique; ${owner} leads to one row, and several would deny`
  const hint = `run ALTER TABLE public.${table} ADD UNIQUE (${remote}); or declare a relation to many`
  return [...own, mismatchAt(span).error('TWR_CATALOG_KEY', message, hint)]
}

function byPlace({ problem: a }: Mismatch, { problem: b }: Mismatch): number {
  if (a.span.file !== b.span.file) return a.span.file < b.span.file ? -1 : 1
  return a.span.line - b.span.line || a.span.column - b.span.column
}
