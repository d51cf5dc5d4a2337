import type { Column } from '../../ir/types.js'
import { type Fragment, id, join, sql } from './fragment.js'

/** A column by which a list is sorted. Downwards NULL comes first, upwards last, as in PostgreSQL. */
export interface SortKey {
  readonly column: Column
  readonly descending: boolean
}

/** A sort key, and where in the list the page before ended: the parameter that has the value, null where it is NULL. */
export interface Position extends SortKey {
  readonly value: Fragment | null
}

/** What stands after ORDER BY. */
export function orderBy(keys: readonly SortKey[]): Fragment {
  return join(
    keys.map(({ column, descending }) => sql`${id(column.name)} ${descending ? sql`DESC` : sql`ASC`}`),
    ', '
  )
}

/**
 * The rows after a position, as conditions of which each row fulfils one at most, in the order of the list. Each begins
 * with what an index by the first key can serve, which an OR of all of them would not.
 *
 * @param keys the last one is never NULL and never the same in two rows
 */
export function piecesAfter(keys: readonly Position[]): readonly Fragment[] {
  const [first, ...rest] = keys
  if (first === undefined) return []
  const { column, descending, value } = first
  const name = id(column.name)
  if (value === null) {
    const same = sql`${name} IS NULL AND ${beyond(rest)}`
    return descending ? [same, sql`${name} IS NOT NULL`] : [same]
  }
  const nulls = column.nullable && !descending ? [sql`${name} IS NULL`] : []
  return [inOneComparison(keys) ?? boundedBy(first, value, rest), ...nulls]
}

function boundedBy(first: Position, value: Fragment, rest: readonly Position[]): Fragment {
  const name = id(first.column.name)
  const [strict, loose] = first.descending ? [sql`<`, sql`<=`] : [sql`>`, sql`>=`]
  if (rest.length === 0) return sql`${name} ${strict} ${value}`
  // the first part follows from the second, and an index can serve it
  return sql`${name} ${loose} ${value} AND (${name} ${strict} ${value} OR (${name} = ${value} AND ${beyond(rest)}))`
}

/** A comparison of rows, which an index serves whole: where all keys go one way and no NULL can be passed over. */
function inOneComparison(keys: readonly Position[]): Fragment | null {
  const [first, ...rest] = keys
  const values = keys.flatMap(({ value }) => (value === null ? [] : [value]))
  const oneWay = keys.every(({ descending }) => descending === first?.descending)
  if (keys.length < 2 || !oneWay || values.length < keys.length) return null
  if (rest.some(({ column }) => column.nullable)) return null
  const names = join(
    keys.map(({ column }) => id(column.name)),
    ', '
  )
  return sql`(${names}) ${first?.descending === true ? sql`<` : sql`>`} (${join(values, ', ')})`
}

/** The rows that come after a position by these keys, as one condition. */
function beyond(keys: readonly Position[]): Fragment {
  const [first, ...rest] = keys
  if (first === undefined) return sql`false`
  const { column, descending, value } = first
  const name = id(column.name)
  const same = (test: Fragment) => (rest.length === 0 ? [] : [sql`(${test} AND ${beyond(rest)})`])
  const later =
    value === null
      ? descending
        ? [sql`${name} IS NOT NULL`]
        : []
      : [
          descending ? sql`${name} < ${value}` : sql`${name} > ${value}`,
          ...(column.nullable && !descending ? [sql`${name} IS NULL`] : [])
        ]
  const parts = [...later, ...same(value === null ? sql`${name} IS NULL` : sql`${name} = ${value}`)]
  return parts.length === 0 ? sql`false` : sql`(${join(parts, ' OR ')})`
}
