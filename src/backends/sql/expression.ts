import type { Atom, Ordering, Term } from '../../ir/formula.js'
import type { Literal, Nnf } from '../../ir/normal-form.js'
import { formatDate, formatTimestamp } from '../../ir/time.js'
import type { ScalarType } from '../../ir/types.js'
import type { Scalar } from '../../ir/values.js'
import { block, type Fragment, id, join, lit, newline, qualified, sql } from './fragment.js'
import { accessorOf } from './names.js'

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

/**
 * A normal form as an SQL boolean that is true exactly when the form is definitely true; where it is not, the SQL is
 * false or unknown, which PostgreSQL treats alike in USING and WITH CHECK. Comparisons stay bare, because wrapping
 * them (IS TRUE, COALESCE) would keep them from using an index.
 *
 * @param indent columns by which continued lines are indented
 * @param row what stands before the columns: nothing in a policy, OLD or NEW in a trigger
 */
export function expression(form: Nnf, indent = 0, row: Row = ''): Fragment {
  switch (form.kind) {
    case 'const':
      return form.value ? sql`true` : sql`false`
    case 'literal':
      return literalSql(form, row)
    case 'and':
      return block(
        [...form.of].sort(principalFirst).map(part => operand(part, indent, row)),
        'AND',
        indent
      )
    case 'or':
      return block(
        form.of.map(part => operand(part, indent, row)),
        'OR',
        indent
      )
  }
}

/** One side of AND or OR. Inside of another operator the lesser ones go into parentheses, on lines of their own. */
function operand(part: Nnf, indent: number, row: Row): Fragment {
  if (part.kind === 'const' || part.kind === 'literal') return expression(part, 0, row)
  if (part.kind === 'and' && part.of.every(one => one.kind === 'literal')) {
    return sql`(${join(
      [...part.of].sort(principalFirst).map(one => expression(one, 0, row)),
      ' AND '
    )})`
  }
  return sql`(${newline(indent + 2)}${expression(part, indent + 2, row)}${newline(indent)})`
}

/** What depends on the principal alone comes first: it is tested once a statement. */
function principalFirst(a: Nnf, b: Nnf): number {
  return Number(readsRow(a)) - Number(readsRow(b))
}

function readsRow(form: Nnf): boolean {
  switch (form.kind) {
    case 'const':
      return false
    case 'and':
    case 'or':
      return form.of.some(readsRow)
    case 'literal':
      return Object.values(form.atom).some(part => typeof part === 'object' && part.kind === 'column')
  }
}

function literalSql({ atom, negated }: Literal, row: Row): Fragment {
  const term = (one: Term): Fragment => termSql(one, row)
  switch (atom.kind) {
    case 'eq':
      return equality(term(atom.left), term(atom.right), atom, negated)
    case 'order':
      return sql`${term(atom.left)} ${OPERATOR[atom.op]} ${term(atom.right)}`
    case 'in':
      return membership(atom, negated, row)
    case 'null':
      return negated ? sql`${term(atom.term)} IS NOT NULL` : sql`${term(atom.term)} IS NULL`
  }
}

const OPERATOR: Readonly<Record<Ordering, Fragment>> = {
  '<': sql`<`,
  '<=': sql`<=`,
  '>': sql`>`,
  '>=': sql`>=`
}

function equality(left: Fragment, right: Fragment, atom: Atom & { kind: 'eq' }, negated: boolean): Fragment {
  if (atom.right.kind === 'literal' && atom.right.value === true) return negated ? sql`NOT ${left}` : left
  return negated ? sql`${left} <> ${right}` : sql`${left} = ${right}`
}

function membership({ item, set }: Atom & { kind: 'in' }, negated: boolean, row: Row): Fragment {
  const term = (one: Term): Fragment => termSql(one, row)
  const array = (one: Term): Fragment => arraySql(one, row)
  if (set.kind === 'list') {
    // a list from the normal form holds two values or more, none of them null
    const values = join(
      set.values.map(value => typed(value, set.type.of)),
      ', '
    )
    return negated ? sql`${term(item)} NOT IN (${values})` : sql`${term(item)} IN (${values})`
  }
  if (negated) {
    // safety: `null <> ALL ('{}')` is true, while null in a set is unknown
    return sql`(${term(item)} IS NOT NULL AND ${term(item)} <> ALL (${array(set)}))`
  }
  // a GIN index serves @> but not = ANY (column)
  return set.kind === 'column'
    ? sql`${term(set)} @> ARRAY[${term(item)}]::${arrayType(set.type)}`
    : sql`${term(item)} = ANY (${array(set)})`
}

/** The cast keeps `ANY ((SELECT ...))` from being read as a subquery over rows. */
function arraySql(set: Term, row: Row): Fragment {
  const text = termSql(set, row)
  return set.kind === 'principal' ? sql`${text}::${arrayType(set.type)}` : text
}

function arrayType(type: Term['type']): Fragment {
  const scalar = type.kind === 'set' ? type.of : type
  switch (SQL_TYPE[scalar.kind]) {
    case 'uuid':
      return sql`uuid[]`
    case 'text':
      return sql`text[]`
    case 'boolean':
      return sql`boolean[]`
    case 'bigint':
      return sql`bigint[]`
    case 'date':
      return sql`date[]`
    case 'timestamptz':
      return sql`timestamptz[]`
  }
}

/** What stands before a column. */
export type Row = '' | 'OLD' | 'NEW'

function termSql(one: Term, row: Row): Fragment {
  switch (one.kind) {
    case 'column':
      return row === '' ? id(one.name) : sql`${row === 'OLD' ? sql`OLD` : sql`NEW`}.${id(one.name)}`
    case 'principal':
      // in a subquery the accessor runs once a statement instead of once a row
      return sql`(SELECT ${qualified(accessorOf(one.name))}())`
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

function typed(value: Scalar, type: ScalarType): Fragment {
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
