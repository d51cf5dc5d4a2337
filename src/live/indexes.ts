import { createIndex, indexesOf, type WantedIndex } from '../backends/sql/indexes.js'
import type { LiveTable } from '../db/catalog/tables.js'
import type { Span } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'
import { type Mismatch, mismatchAt } from './mismatch.js'

/** The indexes that the rules need and that the tables lack. Decisions are right without them, and slow. */
export function indexMismatches(bundle: Bundle, tables: ReadonlyMap<string, LiveTable>): readonly Mismatch[] {
  return indexesOf(bundle).flatMap(wanted => {
    const { table, column, method } = wanted
    const live = tables.get(table)
    // a table or column that is not there has been told already
    if (live === undefined || !live.columns.some(({ name }) => name === column) || serves(live, wanted))
      return []
    const message = `public.${table} has no ${method} index ${method === 'gin' ? 'on' : 'that begins with'} ${column}: the rules look at every row`
    const hint = `run ${createIndex(wanted, true)} or \`twinrule migrate --database URL\`, which makes it`
    return [mismatchAt(placeOf(bundle, wanted)).warning('TWR_CATALOG_INDEX', message, hint)]
  })
}

function serves({ indexes }: LiveTable, { column, method }: WantedIndex): boolean {
  return indexes.some(one => {
    if (!one.whole) return false
    if (method === 'gin') return one.method === 'gin' && one.columns.includes(column)
    return (one.method === 'btree' || one.method === 'hash') && one.columns[0] === column
  })
}

/** Where the column is declared, or the relation that leads to it. */
function placeOf({ resources }: Bundle, { table, column }: WantedIndex): Span | undefined {
  const owners = resources
    .flatMap(resource => [resource, ...resource.relations])
    .filter(one => one.table === table)
  const declared = owners
    .flatMap(one => one.columns)
    .find(({ name, span }) => name === column && span !== undefined)
  return declared?.span ?? owners[0]?.span
}
