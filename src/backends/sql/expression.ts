import type { Atom, Term } from '../../ir/formula.js'
import type { Literal, Nnf } from '../../ir/normal-form.js'
import type { ScalarType } from '../../ir/types.js'
import type { Scalar } from '../../ir/values.js'
import { block, type Fragment, id, join, lit, newline, qualified, sql } from './fragment.js'
import { accessorOf } from './names.js'

/** PostgreSQL's name of a scalar type. Enums are text columns with a CHECK. */
export const SQL_TYPE: Readonly<Record<ScalarType['kind'], 'uuid' | 'text' | 'boolean' | 'bigint'>> = {
  uuid: 'uuid',
  text: 'text',
  enum: 'text',
  bool: 'boolean',
  int: 'bigint'
}

/**
 * A normal form as an SQL boolean that is true exactly when the form is definitely true; where it is not, the SQL is
 * false or unknown, which PostgreSQL treats alike in USING and WITH CHECK. Comparisons stay bare, because wrapping
 * them (IS TRUE, COALESCE) would keep them from using an index.
 *
 * @param indent columns by which continued lines are indented
 */
export function expression(form: Nnf, indent = 0): Fragment {
  switch (form.kind) {
    case 'const':
      return form.value ? sql`true` : sql`false`
    case 'literal':
      return literalSql(form)
    case 'and':
      return block(
        [...form.of].sort(principalFirst).map(part => operand(part, indent)),
        'AND',
        indent
      )
    case 'or':
      return block(
        form.of.map(part => operand(part, indent)),
        'OR',
        indent
      )
  }
}

/** One side of AND or OR. Inside of another operator the lesser ones go into parentheses, on lines of their own. */
function operand(part: Nnf, indent: number): Fragment {
  if (part.kind === 'const' || part.kind === 'literal') return expression(part)
  if (part.kind === 'and' && part.of.every(one => one.kind === 'literal')) {
    return sql`(${join(
      [...part.of].sort(principalFirst).map(one => expression(one)),
      ' AND '
    )})`
  }
  return sql`(${newline(indent + 2)}${expression(part, indent + 2)}${newline(indent)})`
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

function literalSql({ atom, negated }: Literal): Fragment {
  switch (atom.kind) {
    case 'eq':
      return equality(atom, negated)
    case 'in':
      return membership(atom, negated)
    case 'null':
      return negated ? sql`${term(atom.term)} IS NOT NULL` : sql`${term(atom.term)} IS NULL`
  }
}

function equality({ left, right }: Atom & { kind: 'eq' }, negated: boolean): Fragment {
  if (right.kind === 'literal' && right.value === true) {
    return negated ? sql`NOT ${term(left)}` : term(left)
  }
  return negated ? sql`${term(left)} <> ${term(right)}` : sql`${term(left)} = ${term(right)}`
}

function membership({ item, set }: Atom & { kind: 'in' }, negated: boolean): Fragment {
  if (set.kind === 'list') {
    // a list from the normal form holds two values or more, none of them null
    const values = join(set.values.map(lit), ', ')
    return negated ? sql`${term(item)} NOT IN (${values})` : sql`${term(item)} IN (${values})`
  }
  if (negated) {
    // safety: `null <> ALL ('{}')` is true, while null in a set is unknown
    return sql`(${term(item)} IS NOT NULL AND ${term(item)} <> ALL (${array(set)}))`
  }
  // a GIN index serves @> but not = ANY (column)
  return set.kind === 'column'
    ? sql`${term(set)} @> ${single(item, set.type)}`
    : sql`${term(item)} = ANY (${array(set)})`
}

function single(item: Term, type: Term['type']): Fragment {
  return sql`ARRAY[${term(item)}]::${arrayType(type)}`
}

/** The cast keeps `ANY ((SELECT ...))` from being read as a subquery over rows. */
function array(set: Term): Fragment {
  return set.kind === 'principal' ? sql`${term(set)}::${arrayType(set.type)}` : term(set)
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
  }
}

function term(one: Term): Fragment {
  switch (one.kind) {
    case 'column':
      return id(one.name)
    case 'principal':
      // in a subquery the accessor runs once a statement instead of once a row
      return sql`(SELECT ${qualified(accessorOf(one.name))}())`
    case 'literal':
      return typed(one.value, one.type)
    case 'list':
      return sql`ARRAY[${join(one.values.map(lit), ', ')}]::${arrayType(one.type)}`
  }
}

function typed(value: Scalar, type: ScalarType): Fragment {
  return type.kind === 'uuid' ? sql`${lit(value)}::uuid` : lit(value)
}
