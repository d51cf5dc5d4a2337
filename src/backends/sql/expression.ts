import { InternalError } from '../../errors/errors.js'
import type { Atom, Ordering, Term } from '../../ir/formula.js'
import { type Literal, type Nnf, readableForm } from '../../ir/normal-form.js'
import { block, type Fragment, id, join, newline, qualified, sql } from './fragment.js'
import { entranceOf } from './names.js'
import { arraySql, arrayType, type Row, termSql, typed } from './terms.js'

/**
 * A normal form as an SQL boolean that is true exactly when the form is definitely true; where it is not, the SQL is
 * false or unknown, which PostgreSQL treats alike in USING and WITH CHECK. Comparisons stay bare, because wrapping
 * them (IS TRUE, COALESCE) would keep them from using an index.
 *
 * @param indent columns by which continued lines are indented
 * @param row how the row in question is named
 */
export function expression(form: Nnf, indent: number, row: Row): Fragment {
  switch (form.kind) {
    case 'const':
      return form.value ? sql`true` : sql`false`
    case 'literal':
      return literalSql(form, row)
    case 'exists':
    case 'every':
      return relationSql(form, indent, row)
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
  if (part.kind !== 'and' && part.kind !== 'or') return expression(part, indent, row)
  const literals = part.of.filter(one => one.kind === 'literal')
  if (part.kind === 'and' && literals.length === part.of.length) {
    return sql`(${join(
      [...literals].sort(principalFirst).map(one => literalSql(one, row)),
      ' AND '
    )})`
  }
  return sql`(${newline(indent + 2)}${expression(part, indent + 2, row)}${newline(indent)})`
}

/** What depends on the principal alone comes first: it is tested once a statement. */
function principalFirst(a: Nnf, b: Nnf): number {
  return Number(readsRow(a)) - Number(readsRow(b))
}

/** Whether a form asks about a row, not about the principal and the time alone. */
export function readsRow(form: Nnf): boolean {
  switch (form.kind) {
    case 'const':
      return false
    case 'exists':
    case 'every':
      return true
    case 'and':
    case 'or':
      return form.of.some(readsRow)
    case 'literal':
      return Object.values(form.atom).some(part => typeof part === 'object' && isColumn(part))
  }
}

function isColumn({ kind }: Term): boolean {
  return kind === 'column' || kind === 'related'
}

/** The name of a related row. A table of the policy cannot have it. */
const RELATED = sql`twinrule_related`

/**
 * The related rows that count and have the condition, or none that counts and lacks it. Row-level security of the other
 * table would hide the rows that do not count anyway; saying so makes the formula whole without it.
 */
function relationSql(form: Nnf & { kind: 'exists' | 'every' }, indent: number, row: Row): Fragment {
  const { relation } = form
  if (relation.table === null) throw new InternalError(`the relation ${relation.name} has no table`)
  const inner = indent + 2
  const outer = { ...row, column: row.inSubquery, related: RELATED }
  const joined = sql`${RELATED}.${id(relation.remote)} = ${outer.column}.${id(relation.local)}`
  const counts = readableForm(relation, row.readable)
  const test = operand(form.of, inner, outer)
  const parts = [
    joined,
    ...(counts.kind === 'const' && counts.value
      ? []
      : [operand(counts, inner, { ...outer, column: RELATED })]),
    ...(form.of.kind === 'const' && form.of.value === (form.kind === 'exists')
      ? []
      : [form.kind === 'exists' ? test : sql`(${test}) IS NOT TRUE`])
  ]
  const where = block(parts, 'AND', inner)
  return sql`${form.kind === 'exists' ? sql`EXISTS` : sql`NOT EXISTS`} (${newline(inner)}SELECT FROM public.${id(relation.table)} AS ${RELATED}${newline(inner)}WHERE ${where}${newline(indent)})`
}

function literalSql({ atom, negated }: Literal, row: Row): Fragment {
  const term = (one: Term): Fragment => termSql(one, row)
  switch (atom.kind) {
    case 'eq':
      return !negated && isEntered(atom, row)
        ? sql`(SELECT ${qualified(entranceOf(atom.left.name))}())`
        : equality(term(atom.left), term(atom.right), atom, negated)
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
  return isColumn(set)
    ? sql`${term(set)} @> ARRAY[${term(item)}]::${arrayType(set.type)}`
    : sql`${term(item)} = ANY (${array(set)})`
}

/**
 * Whether an atom is the flag of the role whose SQL this is: there it counts for whoever entered the role with leave.
 * safety: only as it stands, because "not the flag" must not come to mean "did not enter"
 */
function isEntered(
  atom: Atom & { kind: 'eq' },
  { entered }: Row
): atom is Atom & { kind: 'eq'; left: Term & { kind: 'principal' } } {
  const { left, right } = atom
  const isTrue = right.kind === 'literal' && right.value === true
  return isTrue && left.kind === 'principal' && left.name === entered
}
