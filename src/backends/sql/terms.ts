import { InternalError } from '../../errors/errors.js'
import type { Condition, Term } from '../../ir/formula.js'
import { anyOf, type Nnf } from '../../ir/normal-form.js'
import { formatDate, formatTimestamp } from '../../ir/time.js'
import type { ScalarType, Type } from '../../ir/types.js'
import type { Scalar } from '../../ir/values.js'
import { type Fragment, id, join, lit, qualified, sql } from './fragment.js'
import { accessorOf, CLAIMS } from './names.js'

/** The types of PostgreSQL that columns may have. */
export type SqlType = 'uuid' | 'text' | 'boolean' | 'bigint' | 'date' | 'timestamptz'

/** PostgreSQL's name of a scalar type. Enums are text columns with a CHECK. */
export const SQL_TYPE: Readonly<Record<ScalarType['kind'], SqlType>> = {
  uuid: 'uuid',
  text: 'text',
  enum: 'text',
  bool: 'boolean',
  int: 'bigint',
  date: 'date',
  timestamptz: 'timestamptz'
}

/** How the SQL around an expression names things. */
export interface Row {
  /** What stands before a column of the row; null for nothing. */
  readonly column: Fragment | null
  /** What stands before it inside of a subquery, where a bare name could be another table's. */
  readonly inSubquery: Fragment
  /** What stands before a column of the related row. */
  readonly related: Fragment | null
  /** The form of "may be read" for the role whose SQL this is. */
  readonly readable: (all: readonly Condition[]) => Nnf
  /** The role flag whose role this is the SQL of, where there is one. */
  readonly entered: string | null
  /**
   * `claimed`: user and tenant are read from the settings, unverified, for the half of a policy that only narrows.
   * `either`: the same, and what there is no claim of is verified.
   */
  readonly principal: 'verified' | 'claimed' | 'either'
}

/** The row of a table in one of its policies or in a query over it. */
export function tableRow(table: string, { readable, entered }: Pick<Row, 'readable' | 'entered'>): Row {
  return { column: null, inSubquery: id(table), related: null, readable, entered, principal: 'verified' }
}

/** The row as it was, in a trigger. */
export const OLD_ROW: Row = {
  column: sql`OLD`,
  inSubquery: sql`OLD`,
  related: null,
  readable: anyOf,
  entered: null,
  principal: 'verified'
}

/** One term of a comparison. */
export function termSql(one: Term, row: Row): Fragment {
  switch (one.kind) {
    case 'column':
      return row.column === null ? id(one.name) : sql`${row.column}.${id(one.name)}`
    case 'related':
      return row.related === null ? id(one.name) : sql`${row.related}.${id(one.name)}`
    case 'principal':
      return principalSql(one.name, row)
    case 'literal':
      return typed(one.value, one.type)
    case 'list':
      return sql`ARRAY[${join(
        one.values.map(value => typed(value, one.type.of)),
        ', '
      )}]::${arrayType(one.type)}`
    case 'now':
      return sql`now()`
  }
}

function principalSql(name: string, { principal }: Row): Fragment {
  const { claim } = CLAIMS[name] ?? {}
  // bare, so that the planner sees the value and what it selects
  if (principal !== 'verified' && claim !== undefined) return sql`${qualified(claim)}()`
  if (principal === 'claimed') throw new InternalError(`there is no claim of principal.${name}`)
  // in a subquery the accessor runs once a statement instead of once a row
  return sql`(SELECT ${qualified(accessorOf(name))}())`
}

/** A constant with its type. */
export function typed(value: Scalar, type: ScalarType): Fragment {
  switch (type.kind) {
    case 'uuid':
      return sql`${lit(value)}::uuid`
    case 'date':
      return sql`${lit(formatDate(Number(value)))}::date`
    case 'timestamptz':
      return sql`${lit(formatTimestamp(value as number | bigint))}::timestamptz`
    case 'text':
    case 'enum':
    case 'bool':
    case 'int':
      return lit(value)
  }
}

/** The cast keeps `ANY ((SELECT ...))` from being read as a subquery over rows. */
export function arraySql(set: Term, row: Row): Fragment {
  const text = termSql(set, row)
  return set.kind === 'principal' ? sql`${text}::${arrayType(set.type)}` : text
}

/** The name of the type of arrays of a type, or of the set that it is. */
export function arrayType(type: Type): Fragment {
  return sql`${scalarType(type.kind === 'set' ? type.of : type)}[]`
}

/** The name of the type of a column. */
export function columnType(type: Type): Fragment {
  return type.kind === 'set' ? arrayType(type) : scalarType(type)
}

function scalarType(type: ScalarType): Fragment {
  switch (SQL_TYPE[type.kind]) {
    case 'uuid':
      return sql`uuid`
    case 'text':
      return sql`text`
    case 'boolean':
      return sql`boolean`
    case 'bigint':
      return sql`bigint`
    case 'date':
      return sql`date`
    case 'timestamptz':
      return sql`timestamptz`
  }
}
