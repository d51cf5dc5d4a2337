import type { Resource } from '../../ir/model.js'
import type { Column } from '../../ir/types.js'
import { armSql, listArms } from './arms.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import { orderBy, type Position, piecesAfter, type SortKey } from './keyset.js'
import type { RoleView } from './policies.js'
import { arrayType, columnType } from './terms.js'

/** How a list may compare a column with a value. */
export const LIST_OPERATORS = ['==', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'contains'] as const
/** One of them. */
export type ListOperator = (typeof LIST_OPERATORS)[number]

/** A filter; its value is a parameter, unless it is null. */
export interface ListTest {
  readonly column: Column
  readonly operator: ListOperator
  readonly isNull: boolean
}

/** What of a list its statement depends on: everything but the values, so that there are few statements. */
export interface ListShape {
  readonly resource: Resource
  readonly view: RoleView
  /** The last one is the id. */
  readonly keys: readonly SortKey[]
  readonly tests: readonly ListTest[]
  /** Of each key whether the page before ended with NULL there; null for the first page. */
  readonly after: readonly boolean[] | null
  /** Rows at most. */
  readonly limit: number
  readonly count: boolean
}

/**
 * The statement of one page, or null when the role may never read such a row. The parameters are the values of the tests,
 * then those of the position. Each row begins with the count, if one was asked for, which then comes even without a row.
 *
 * Row-level security would do without the arms. They are there for speed: no single condition with OR can be walked in
 * the order of an index, and each arm can.
 */
export function listStatement(shape: ListShape): Fragment | null {
  const { resource, view, keys, tests, limit } = shape
  const arms = listArms(resource, view)
  if (arms.length === 0) return null
  let used = 0
  const parameter = () => sql`$${lit(++used)}`
  const filters = tests.map(test => testSql(test, parameter))
  const positions = keys.map(
    (key, i): Position => ({
      ...key,
      value:
        shape.after === null || shape.after[i] ? null : sql`${parameter()}::${columnType(key.column.type)}`
    })
  )
  const pieces = shape.after === null ? [null] : piecesAfter(positions)
  const columns = join(
    resource.columns.map(({ name }) => id(name)),
    ', '
  )
  const from = sql`FROM public.${id(resource.table ?? resource.name)}`
  const tail = sql`ORDER BY ${orderBy(keys)} LIMIT ${lit(limit)}`
  const selects = arms.flatMap(arm =>
    pieces.map(piece => {
      const where = [armSql(arm, resource, view), ...filters, ...(piece === null ? [] : [sql`(${piece})`])]
      return sql`(\n  SELECT ${columns} ${from}\n  WHERE ${join(where, ' AND ')}\n  ${tail}\n)`
    })
  )
  // a row of two arms comes once: the keys end with the id
  const distinct = sql`DISTINCT ON (${join(
    keys.map(({ column }) => id(column.name)),
    ', '
  )}) `
  const page = sql`SELECT ${arms.length > 1 ? distinct : sql``}${columns} FROM (${union(selects)}) AS arms ${tail}`
  if (!shape.count) return page
  // the number of all rows is row-level security's to decide
  const where = filters.length === 0 ? sql`` : sql` WHERE ${join(filters, ' AND ')}`
  return sql`SELECT counted.*, page.* FROM (SELECT count(*) AS twinrule_count ${from}${where}) AS counted
LEFT JOIN (${page}) AS page ON true ORDER BY ${orderBy(keys)}`
}

function union(selects: readonly Fragment[]): Fragment {
  return selects.reduce((all, one) => sql`${all} UNION ALL ${one}`)
}

function testSql({ column, operator, isNull }: ListTest, parameter: () => Fragment): Fragment {
  const name = id(column.name)
  if (isNull) return operator === '==' ? sql`${name} IS NULL` : sql`${name} IS NOT NULL`
  const array = sql`::${arrayType(column.type)}`
  switch (operator) {
    case '==':
      return sql`${name} = ${parameter()}::${columnType(column.type)}`
    case '!=':
      return sql`${name} <> ${parameter()}::${columnType(column.type)}`
    case '<':
      return sql`${name} < ${parameter()}::${columnType(column.type)}`
    case '<=':
      return sql`${name} <= ${parameter()}::${columnType(column.type)}`
    case '>':
      return sql`${name} > ${parameter()}::${columnType(column.type)}`
    case '>=':
      return sql`${name} >= ${parameter()}::${columnType(column.type)}`
    case 'in':
      return sql`${name} = ANY (${parameter()}${array})`
    case 'not in':
      // safety: `null <> ALL ('{}')` is true, while null in a list is unknown
      return sql`(${name} IS NOT NULL AND ${name} <> ALL (${parameter()}${array}))`
    case 'contains':
      return sql`${name} @> ARRAY[${parameter()}]${array}`
  }
}
