import { InternalError } from '../errors/errors.js'
import type { Atom, Condition, Ordering, Relation, Term } from './formula.js'
import type { Scalar, Value } from './values.js'

/** Kleene's three truth values; null is unknown. */
export type Truth = true | false | null

/** Canonical values by name, and under the name of a relation the related rows. A missing value is null. */
export type Values = Readonly<Record<string, Value | readonly Related[]>>
/** A related row. Relations of relations are not followed. */
export type Related = Readonly<Record<string, Value>>

/** What a condition is asked about. `row` is the stored or the new row, as the question demands. */
export interface Case {
  readonly principal: Values
  readonly row: Values
  /** The related row, inside of an `exists`. */
  readonly related?: Related
  /** The time of the decision, microseconds since 1970; without one, `now` is unknown. */
  readonly now?: number | bigint
}

/**
 * The truth of a condition: the reference interpreter, which defines what both backends must do.
 * It is written for reading, shares no code with them and is used by tests and proofs, not on the decision path.
 */
export function evaluate(condition: Condition, at: Case): Truth {
  switch (condition.kind) {
    case 'const':
      return condition.value
    case 'and':
      return condition.of.reduce<Truth>((truth, part) => kleeneAnd(truth, evaluate(part, at)), true)
    case 'or':
      return condition.of.reduce<Truth>((truth, part) => kleeneOr(truth, evaluate(part, at)), false)
    case 'not':
      return kleeneNot(evaluate(condition.of, at))
    case 'exists':
      return relatedRows(condition.relation, at.row)
        .filter(row => isReadable(condition.relation, { ...at, row }))
        .map(related => evaluate(condition.of, { ...at, related }))
        .reduce(kleeneOr, false)
    case 'atom':
      return evaluateAtom(condition.atom, at)
  }
}

/**
 * The related rows that came with a row.
 *
 * @throws InternalError when they were not loaded: rows that are not known are not the same as no rows
 */
export function relatedRows(relation: Relation, row: Values): readonly Related[] {
  const rows = row[relation.name]
  // safety: "every related row" would hold for rows that nobody loaded
  if (!Array.isArray(rows)) throw new InternalError(`the related rows of ${relation.name} are not loaded`)
  return rows as readonly Related[]
}

function isReadable({ readable }: Relation, at: Case): boolean {
  if (readable === null) return true
  return (
    readable.allow.some(one => evaluate(one, at) === true) &&
    readable.forbid.every(one => evaluate(one, at) === false)
  )
}

/** The truth of one atom. */
export function evaluateAtom(atom: Atom, at: Case): Truth {
  switch (atom.kind) {
    case 'eq': {
      const left = termValue(atom.left, at)
      const right = termValue(atom.right, at)
      return left === null || right === null ? null : left === right
    }
    case 'order': {
      const left = termValue(atom.left, at) as number | bigint | null
      const right = termValue(atom.right, at) as number | bigint | null
      return left === null || right === null ? null : ordered(atom.op, left, right)
    }
    case 'in': {
      const item = termValue(atom.item, at)
      const set = termValue(atom.set, at)
      if (item === null || set === null) return null
      const items = set as readonly (Scalar | null)[]
      if (items.some(one => one === item)) return true
      return items.some(one => one === null) ? null : false
    }
    case 'null':
      return termValue(atom.term, at) === null
  }
}

/** The value a term has in a case. */
export function termValue(term: Term, at: Case): Value {
  switch (term.kind) {
    case 'column':
      return (at.row[term.name] ?? null) as Value
    case 'related':
      return at.related?.[term.name] ?? null
    case 'principal':
      return (at.principal[term.name] ?? null) as Value
    case 'literal':
      return term.value
    case 'list':
      return term.values
    case 'now':
      return at.now ?? null
  }
}

function ordered(op: Ordering, left: number | bigint, right: number | bigint): boolean {
  switch (op) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
  }
}

function kleeneAnd(a: Truth, b: Truth): Truth {
  if (a === false || b === false) return false
  return a === null || b === null ? null : true
}

function kleeneOr(a: Truth, b: Truth): Truth {
  if (a === true || b === true) return true
  return a === null || b === null ? null : false
}

function kleeneNot(a: Truth): Truth {
  return a === null ? null : !a
}
