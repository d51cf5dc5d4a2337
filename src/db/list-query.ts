import type { SortKey } from '../backends/sql/keyset.js'
import { LIST_OPERATORS, type ListOperator, type ListTest } from '../backends/sql/list.js'
import { RequestError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import { type Bundle, type Resource, resourceOf } from '../ir/model.js'
import type { Column } from '../ir/types.js'
import { isOrdered, type ScalarType, typeName } from '../ir/types.js'
import { canonicalScalar } from '../ir/values.js'

/** Which rows of a list, in which order. */
export interface ListQuery {
  /** The resource type. */
  readonly type: string
  /** What must be true of each row. With null, `==` and `!=` ask whether there is a value. */
  readonly filter?: readonly { readonly column: string; readonly op: string; readonly value: unknown }[]
  /** By which columns it is sorted; then by the id, in the direction of the last. By the id alone unless given. */
  readonly sort?: readonly { readonly column: string; readonly direction?: 'asc' | 'desc' }[]
  /** Rows of a page, 1 to 1000; 50 unless given. */
  readonly size?: number
  /** Where the page before ended, as it said. */
  readonly cursor?: string
  /** Whether to count all rows that pass the filter. */
  readonly count?: boolean
}

/** A parameter of the statement, as `pg` takes it. */
export type Parameter = string | readonly string[]

/** A query in which every name is known and every value is of its type. */
export interface CheckedQuery {
  readonly resource: Resource
  readonly tests: readonly ListTest[]
  readonly values: readonly Parameter[]
  readonly keys: readonly SortKey[]
  readonly size: number
}

/** Sorts and filters in one list, each. */
const MOST_PARTS = 16
const MOST_ROWS = 1000
const ROWS = 50

/** @throws RequestError TWR_REQUEST_LIST for a name that is not declared, an operator or value of another type */
export function checkQuery(bundle: Bundle, query: ListQuery): CheckedQuery {
  const resource = resourceOf(bundle, query.type)
  if (resource === undefined) {
    const known = bundle.resources.map(({ name }) => name)
    return refuse(`there is no resource type ${query.type}`, suggest(query.type, known, 'the types'))
  }
  const key = resource.columns.find(({ name }) => name === 'id')
  if (resource.table === null) return refuse(`${query.type} has no table, so there is nothing to list`)
  if (key === undefined || key.type.kind === 'set') return refuse(`${query.type} declares no id to list by`)
  const { filter = [], sort = [], size = ROWS } = query
  if (!Number.isInteger(size) || size < 1 || size > MOST_ROWS) {
    return refuse(`size must be a whole number from 1 to ${MOST_ROWS}`)
  }
  if (filter.length > MOST_PARTS || sort.length > MOST_PARTS) {
    return refuse(`a list has at most ${MOST_PARTS} filters and ${MOST_PARTS} columns to sort by`)
  }
  const filters = filter.map(one => checkFilter(resource, one))
  return {
    resource,
    tests: filters.map(({ test }) => test),
    values: filters.flatMap(({ values }) => values),
    keys: sortKeys(resource, key, sort),
    size
  }
}

function refuse(message: string, hint?: string): never {
  throw new RequestError('TWR_REQUEST_LIST', 400, message, hint)
}

function columnOf({ name, columns }: Resource, wanted: string): Column {
  const known = columns.map(one => one.name)
  return (
    columns.find(one => one.name === wanted) ??
    refuse(`${name} declares no column ${wanted}`, suggest(wanted, known, 'the columns'))
  )
}

function sortKeys(resource: Resource, id: Column, sort: NonNullable<ListQuery['sort']>): readonly SortKey[] {
  const keys = sort.map(({ column: name, direction = 'asc' }): SortKey => {
    const column = columnOf(resource, name)
    if (column.type.kind === 'set') return refuse(`${resource.name}.${name} is a set, which has no order`)
    if (direction !== 'asc' && direction !== 'desc') {
      return refuse(`a direction is asc or desc, not ${String(direction)}`)
    }
    return { column, descending: direction === 'desc' }
  })
  const names = sort.map(({ column }) => column)
  if (new Set(names).size < names.length) refuse('a column stands twice in sort')
  const unique = keys.findIndex(({ column }) => column === id)
  // what comes after the id changes nothing
  return unique < 0
    ? [...keys, { column: id, descending: keys.at(-1)?.descending ?? false }]
    : keys.slice(0, unique + 1)
}

interface Filter {
  readonly test: ListTest
  readonly values: readonly Parameter[]
}

function checkFilter(
  resource: Resource,
  { column: name, op, value }: NonNullable<ListQuery['filter']>[number]
): Filter {
  const column = columnOf(resource, name)
  const about = `${resource.name}.${name}`
  const operator = LIST_OPERATORS.find(one => one === op)
  if (operator === undefined) {
    return refuse(`there is no operator ${op}`, suggest(op, LIST_OPERATORS, 'the operators'))
  }
  const isNull = (operator === '==' || operator === '!=') && (value === null || value === undefined)
  const test = { column, operator, isNull }
  if (isNull) return { test, values: [] }
  const type = operandType(column, operator, about)
  const hint = type.kind === 'enum' ? `the labels: ${type.labels.join(', ')}` : undefined
  const one = (input: unknown): string => {
    const known = input === null || input === undefined ? null : canonicalScalar(type, input)
    if (known === null) return refuse(`${about}: ${operator} takes no null`)
    return known.ok
      ? parameter(jsonValue(type, known.value))
      : refuse(`${about}: ${operator} ${known.problem}`, hint)
  }
  if (operator !== 'in' && operator !== 'not in') return { test, values: [one(value)] }
  if (!Array.isArray(value)) return refuse(`${about}: ${operator} takes a list`)
  return { test, values: [value.map(one)] }
}

/** The type of what stands beside a column. */
function operandType({ type }: Column, operator: ListOperator, about: string): ScalarType {
  if (operator === 'contains') return type.kind === 'set' ? type.of : refuse(`${about} is no set`)
  if (type.kind === 'set') return refuse(`${about} is a set`, 'a set is asked by `contains`')
  const orders = ['<', '<=', '>', '>='].includes(operator)
  return orders && !isOrdered(type)
    ? refuse(
        `${about} is ${typeName(type)}, which ${operator} does not compare`,
        'int, date and timestamptz have an order'
      )
    : type
}

/** A value as the text that PostgreSQL casts to its type. */
function parameter(value: JsonValue): string {
  return String(value)
}
