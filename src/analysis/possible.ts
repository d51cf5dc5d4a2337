import { type Case, evaluateAtom, type Truth } from '../ir/evaluate.js'
import type { Atom, Condition, Term } from '../ir/formula.js'
import type { Wanted } from './witnesses.js'

/** Some of the three truths, as bits. */
type Truths = number

const TRUE = 1
const FALSE = 2
const UNKNOWN = 4
const ANY = TRUE | FALSE | UNKNOWN

/** Whether a condition may be what is wanted of it for a principal, whatever the rows are. Says yes when in doubt. */
export function mayBe(condition: Condition, wanted: Wanted, who: Omit<Case, 'row'>): boolean {
  return (truthsOf(condition, { ...who, row: {} }) & WANTED[wanted]) !== 0
}

const WANTED: Readonly<Record<Wanted, Truths>> = {
  true: TRUE,
  false: FALSE,
  'not true': FALSE | UNKNOWN,
  'not false': TRUE | UNKNOWN
}

function truthsOf(condition: Condition, at: Case): Truths {
  switch (condition.kind) {
    case 'const':
      return bitOf(condition.value)
    case 'not':
      return negated(truthsOf(condition.of, at))
    case 'and':
      return condition.of.reduce((truths, part) => and(truths, truthsOf(part, at)), TRUE)
    case 'or':
      // a || b is !(!a && !b), in three truths too
      return negated(condition.of.reduce((truths, part) => and(truths, negated(truthsOf(part, at))), TRUE))
    case 'exists':
      // there may be no row
      return FALSE | truthsOf(condition.of, at)
    case 'atom':
      return readsRows(condition.atom) ? ANY : bitOf(evaluateAtom(condition.atom, at))
  }
}

function and(a: Truths, b: Truths): Truths {
  const unknown = ((a | b) & UNKNOWN) !== 0 && (a & ~FALSE) !== 0 && (b & ~FALSE) !== 0
  return (a & b & TRUE) | ((a | b) & FALSE) | (unknown ? UNKNOWN : 0)
}

function negated(truths: Truths): Truths {
  return (truths & UNKNOWN) | ((truths & TRUE) !== 0 ? FALSE : 0) | ((truths & FALSE) !== 0 ? TRUE : 0)
}

function bitOf(truth: Truth): Truths {
  return truth === null ? UNKNOWN : truth ? TRUE : FALSE
}

function readsRows(atom: Atom): boolean {
  return Object.values(atom).some(
    (part: Term | string) => typeof part === 'object' && (part.kind === 'column' || part.kind === 'related')
  )
}
