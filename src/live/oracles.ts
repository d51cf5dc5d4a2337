import { indexesOf } from '../backends/sql/indexes.js'
import type { LiveTable } from '../db/catalog/tables.js'
import type { Bundle, Resource } from '../ir/model.js'
import { type Mismatch, mismatchAt } from './mismatch.js'

/**
 * Keys that tell of hidden rows. PostgreSQL checks unique indexes and foreign keys outside of row-level security, so
 * whether a write fails on one tells of rows that its writer cannot see, unless the key holds a column by which the rules
 * part what he sees from what he does not.
 *
 * A key of `id` alone is left out: nobody guesses a uuid, and one that the table makes nobody may choose.
 *
 * @see PostgreSQL manual, 5.9 Row Security Policies, on covert channels
 */
export function oracleMismatches(
  bundle: Bundle,
  tables: ReadonlyMap<string, LiveTable>
): readonly Mismatch[] {
  const scopes = new Map<string, readonly string[]>()
  for (const { table, column, method } of indexesOf(bundle)) {
    // what the rules look for by equality: the tenant, the owner, the key of a relation
    if (method === 'btree' && column !== 'id') scopes.set(table, [...(scopes.get(table) ?? []), column])
  }
  const managed = new Set(bundle.resources.map(({ table }) => table))
  return bundle.resources.flatMap(resource => {
    const live = resource.table === null ? undefined : tables.get(resource.table)
    const scope = scopes.get(resource.table ?? '') ?? []
    if (live === undefined || scope.length === 0 || !isWritten(resource)) return []
    return [...uniqueKeys(resource, live, scope), ...foreignKeys(resource, live, scope, managed)]
  })
}

function isWritten({ rules }: Resource): boolean {
  return rules.some(
    ({ effect, actions }) => effect === 'allow' && (actions.includes('create') || actions.includes('update'))
  )
}

function uniqueKeys(
  { name, span }: Resource,
  live: LiveTable,
  scope: readonly string[]
): readonly Mismatch[] {
  return live.indexes.flatMap(({ unique, columns }) => {
    const isOfId = columns.length === 1 && columns[0] === 'id'
    if (!unique || isOfId || isScoped(columns, scope)) return []
    const key = shown(columns)
    return [
      mismatchAt(span).warning(
        'TWR_CATALOG_ORACLE',
        `public.${live.name} has a unique index on ${key}: a write of ${name} that fails on it tells of a row that is hidden`,
        `make it unique among what the rules part by: (${[scope[0], ...columns].map(one => one ?? '…').join(', ')})`
      )
    ]
  })
}

function foreignKeys(
  { name, span }: Resource,
  live: LiveTable,
  scope: readonly string[],
  managed: ReadonlySet<string | null>
): readonly Mismatch[] {
  return live.references.flatMap(({ columns, table }) => {
    if (!managed.has(table) || isScoped(columns, scope)) return []
    return [
      mismatchAt(span).warning(
        'TWR_CATALOG_ORACLE',
        `public.${live.name} has a foreign key on ${shown(columns)} to public.${table}: a write of ${name} that passes it tells of a row that is hidden`,
        `let the key hold what the rules part by as well: (${[scope[0], ...columns].join(', ')}) and a unique key like it on public.${table}`
      )
    ]
  })
}

const isScoped = (columns: readonly (string | null)[], scope: readonly string[]) =>
  columns.some(column => column !== null && scope.includes(column))

const shown = (columns: readonly (string | null)[]) =>
  `(${columns.map(column => column ?? 'an expression').join(', ')})`
