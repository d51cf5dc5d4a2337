import { InternalError } from '../errors/errors.js'
import { type Alternative, columnTerm, type Element, type Test } from '../ir/alternatives.js'
import type { Values } from '../ir/evaluate.js'
import type { Ordering, Term } from '../ir/formula.js'
import type { Literal } from '../ir/normal-form.js'
import type { Scalar, Value } from '../ir/values.js'
import { compilePredicate, type Now } from './compiled.js'

/** The operators of stock CASL that agree with SQL on canonical values, nulls included. */
export type CaslOperator = '$in' | '$nin' | '$all' | '$eq' | '$lt' | '$lte' | '$gt' | '$gte' | '$elemMatch'

/** Conditions by column, and by relation with `$elemMatch`. All of them must hold. */
export type CaslConditions = Readonly<Record<string, Readonly<Partial<Record<CaslOperator, unknown>>>>>

/** What a term other than the column stands for: values, or placeholders; null when it is null. */
export type Operands = (term: Term) => unknown[] | null

const ORDER: Readonly<Record<Ordering, CaslOperator>> = { '<': '$lt', '<=': '$lte', '>': '$gt', '>=': '$gte' }

/** The conditions of an alternative for one principal, or null when it can never hold for that one. */
export function instantiate(parts: Alternative, principal: Values, now: Now): CaslConditions | null {
  const merged: Record<string, Record<string, unknown>> = {}
  for (const part of parts) {
    const one = partConditions(part, principal, now)
    if (one === null) return null
    merge(merged, one)
  }
  // an empty $in matches nothing: the alternative is dead
  const dead = Object.values(merged).some(({ $in }) => Array.isArray($in) && $in.length === 0)
  return dead ? null : (merged as CaslConditions)
}

function partConditions(part: Test | Element, principal: Values, now: Now): CaslConditions | null {
  if (part.kind === 'element') {
    const of = instantiate(part.tests, principal, now)
    return of === null ? null : elementCondition(part, of)
  }
  if (columnTerm(part.literal) === null) {
    return compilePredicate(part.literal)(principal, {}, now) === part.holds ? {} : null
  }
  return testCondition(part, term => valuesOf(term, principal, now))
}

/** The CASL condition "some related row has these"; with none, that there is one. */
export function elementCondition({ relation }: Element, of: CaslConditions): CaslConditions {
  const some = Object.keys(of).length > 0 ? of : { [relation.remote]: { $nin: [null] } }
  return { [relation.name]: { $elemMatch: some } }
}

/** Joins conditions on the same columns. */
function merge(into: Record<string, Record<string, unknown>>, more: CaslConditions): void {
  for (const [column, operators] of Object.entries(more)) {
    const known = into[column] ?? {}
    into[column] = known
    for (const [operator, operand] of Object.entries(operators)) {
      known[operator] = combine(operator as CaslOperator, known[operator], operand)
    }
  }
}

/** Two conditions with one operator on one column become one condition that is true when both are. */
function combine(operator: CaslOperator, before: unknown, next: unknown): unknown {
  if (before === undefined || operator === '$eq') return next
  if (operator === '$elemMatch') throw new InternalError('two related rows in one alternative')
  if (operator === '$lt' || operator === '$lte') return (before as number) < (next as number) ? before : next
  if (operator === '$gt' || operator === '$gte') return (before as number) > (next as number) ? before : next
  const [a, b] = [before as unknown[], next as unknown[]]
  return operator === '$in' ? a.filter(value => b.includes(value)) : [...new Set([...a, ...b])]
}

/**
 * The CASL condition that is true exactly when a test on a column passes; null when it never does, {} when always.
 * A condition is true or false of every row, so that a literal is not definitely true is said by the opposite operator.
 */
export function testCondition({ literal, holds }: Test, operands: Operands): CaslConditions | null {
  const made = definitely(literal, operands)
  if (holds) return made === null ? null : on(literal, made)
  return made === null ? {} : on(literal, opposite(made))
}

function on(literal: Literal, operators: Partial<Record<CaslOperator, unknown>>): CaslConditions {
  const column = columnTerm(literal)
  if (column === null) throw new InternalError('a CASL condition without a column')
  return { [column.name]: operators }
}

function opposite(operators: Partial<Record<CaslOperator, unknown>>): Partial<Record<CaslOperator, unknown>> {
  const { $in, $nin, $all, $eq } = operators
  if ($in !== undefined) return { $nin: $in }
  if ($nin !== undefined) return { $in: $nin }
  if ($all !== undefined) return { $nin: $all }
  if ($eq === null) return { $nin: [null] }
  throw new InternalError('a CASL condition without an opposite')
}

function definitely(
  { atom, negated }: Literal,
  operands: Operands
): Partial<Record<CaslOperator, unknown>> | null {
  switch (atom.kind) {
    case 'null':
      return negated ? { $nin: [null] } : { $eq: null }
    case 'eq': {
      const other = operands(atom.right)
      if (other === null) return null
      // safety: without null in the list, CASL would take a NULL column for different
      return negated ? { $nin: [...other, null] } : { $in: other }
    }
    case 'order': {
      const other = operands(atom.right)
      // safety: CASL takes null for 0 in an ordering
      return other === null ? null : { [ORDER[atom.op]]: other[0], $nin: [null] }
    }
    case 'in': {
      if (atom.set.kind === 'column' || atom.set.kind === 'related') {
        const item = operands(atom.item)
        if (item === null) return null
        // safety: null in the list refuses a NULL set and a set that holds NULL
        return negated ? { $nin: [...item, null] } : { $all: item }
      }
      const set = operands(atom.set)
      if (set === null || (negated && set.includes(null))) return null
      const known = set.filter(value => value !== null)
      return negated ? { $nin: [...known, null] } : { $in: known }
    }
  }
}

function valuesOf(term: Term, principal: Values, now: Now): (Scalar | null)[] | null {
  switch (term.kind) {
    case 'literal':
      return [term.value]
    case 'list':
      return [...term.values]
    case 'now':
      return now === null ? null : [now]
    case 'principal': {
      const value = (principal[term.name] ?? null) as Value
      return value === null ? null : Array.isArray(value) ? [...value] : [value as Scalar]
    }
    case 'column':
    case 'related':
      throw new InternalError('two columns in one literal')
  }
}
