import type { Atom, Condition, Ordering, Term } from './formula.js'
import type { Scalar, Value } from './values.js'

/** Kleene's three truth values; null is unknown. */
export type Truth = true | false | null

/** Canonical values by name. A name that is missing here is null. */
export type Values = Readonly<Record<string, Value>>

/** What a condition is asked about. `row` is the stored or the new row, as the question demands. */
export interface Case {
  readonly principal: Values
  readonly row: Values
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
    case 'atom':
      return evaluateAtom(condition.atom, at)
  }
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
      return at.row[term.name] ?? null
    case 'principal':
      return at.principal[term.name] ?? null
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
