import type { Term } from '../../ir/formula.js'
import { and, type Literal, type Nnf, or } from '../../ir/normal-form.js'
import { expression } from './expression.js'
import { type Fragment, newline, qualified, sql } from './fragment.js'
import { CLAIMS, VERIFIED_USER } from './names.js'
import type { Row } from './terms.js'

/**
 * A form behind the question whether there is a principal at all. It alone is the whole policy.
 *
 * The user is looked up first, so that every accessor after it finds a context or fails: a context that is cleared or
 * changed in the middle of a statement cannot make the rest of it see another principal.
 */
export function guarded(form: Nnf, indent: number, row: Row): Fragment {
  const at = newline(indent)
  const inner = newline(indent + 4)
  // safety: CASE asks in order, where PostgreSQL may ask the parts of AND in any (manual, 4.2.14)
  return sql`CASE${at}  WHEN (SELECT ${qualified(VERIFIED_USER)}()) IS NULL THEN false${at}  WHEN (${inner}${expression(withoutUserTest(form), indent + 4, row)}${at}  ) THEN true${at}  ELSE false${at}END`
}

/** The guard has asked already whether there is a user. */
function withoutUserTest(form: Nnf): Nnf {
  const parts = form.kind === 'and' ? form.of : [form]
  return and(parts.filter(part => !(part.kind === 'literal' && isUserTest(part))))
}

function isUserTest({ atom, negated }: Literal): boolean {
  return negated && atom.kind === 'null' && atom.term.kind === 'principal' && atom.term.name === 'id'
}

/**
 * What a form demands of the row alone or by what the settings claim of user and tenant: it follows from the form, and
 * an index can serve it. Null when nothing is left.
 *
 * safety: a claim can be set to anything, also between two rows; so this half only ever stands before the guard
 */
export function openHalf(form: Nnf, indent: number, row: Row): Fragment | null {
  const open = weakened(form)
  return open.kind === 'const' ? null : operand(open, indent, { ...row, principal: 'claimed' })
}

function operand(open: Nnf, indent: number, row: Row): Fragment {
  const text = expression(open, open.kind === 'or' ? indent + 2 : indent, row)
  return open.kind === 'or' ? sql`(${newline(indent + 2)}${text}${newline(indent)})` : text
}

/** The form with everything taken for true that a claim and the row do not decide. Monotone, so it follows. */
function weakened(form: Nnf): Nnf {
  switch (form.kind) {
    case 'const':
      return form
    case 'and':
      return and(form.of.map(weakened))
    case 'or':
      return or(form.of.map(weakened))
    case 'exists':
    case 'every':
      return TRUE
    case 'literal': {
      const terms = Object.values(form.atom).filter((part): part is Term => typeof part === 'object')
      const known = terms.every(term => term.kind !== 'principal' || CLAIMS[term.name] !== undefined)
      return known && terms.some(({ kind }) => kind === 'column') ? form : TRUE
    }
  }
}

const TRUE: Nnf = { kind: 'const', value: true }
