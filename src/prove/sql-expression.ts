import type { Compared, Comparison } from '../analysis/comparisons.js'
import type { Ordering, Relation } from '../ir/formula.js'

/**
 * What a comparison in SQL can look at: a column, of the row or in a subquery of the related row, an accessor's result,
 * a constant or the transaction's time.
 */
export type SqlOperand = Exclude<Compared, { kind: 'list' }> & {
  /**
   * How a principal attribute is seen, if not verified: as a setting claims it, or, of a role flag, as whether its role
   * was entered with leave.
   */
  readonly via?: 'claim' | 'entrance'
}

/** What stands after ANY, ALL or beside @>: a set, or an array of operands written out. */
export type SqlArray =
  | { readonly kind: 'set'; readonly of: SqlOperand }
  | { readonly kind: 'array'; readonly of: readonly SqlOperand[] }

/** How two operands are compared. */
export type SqlOperator = '=' | '<>' | Ordering

/** A boolean expression of SQL, as it was read from the text. */
export type SqlExpression =
  | { readonly kind: 'const'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly SqlExpression[] }
  | { readonly kind: 'not'; readonly of: SqlExpression }
  /** `IS NOT TRUE`: false of true alone, never NULL. */
  | { readonly kind: 'not true'; readonly of: SqlExpression }
  /** `EXISTS`: some row of a relation for which the expression is true. */
  | { readonly kind: 'exists'; readonly relation: Relation; readonly of: SqlExpression }
  /**
   * The form of a whole clause: nobody without a verified user, and who there is as `of` says. What stands in `open`
   * is asked beside it and may only narrow: it sees the principal as the settings claim it.
   */
  | { readonly kind: 'guarded'; readonly open: SqlExpression | null; readonly of: SqlExpression }
  | { readonly kind: 'bool'; readonly of: SqlOperand }
  | { readonly kind: 'null'; readonly of: SqlOperand; readonly negated: boolean }
  | {
      readonly kind: 'compare'
      readonly operator: SqlOperator
      readonly left: SqlOperand
      readonly right: SqlOperand
    }
  | {
      readonly kind: 'any' | 'all'
      readonly operator: SqlOperator
      readonly item: SqlOperand
      readonly array: SqlArray
    }
  | { readonly kind: 'contains'; readonly array: SqlArray; readonly items: SqlArray }

/** The comparisons of an expression. */
export function sqlComparisons(expression: SqlExpression): readonly Comparison[] {
  switch (expression.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return expression.of.flatMap(sqlComparisons)
    case 'not':
    case 'not true':
    case 'exists':
      return sqlComparisons(expression.of)
    case 'guarded': {
      const user: Compared = { kind: 'principal', name: 'id', type: { kind: 'uuid' } }
      const open = expression.open === null ? [] : sqlComparisons(expression.open)
      return [{ terms: [user], ordered: false }, ...open, ...sqlComparisons(expression.of)]
    }
    case 'bool':
    case 'null':
      return [{ terms: [expression.of], ordered: false }]
    case 'compare':
      return [{ terms: [expression.left, expression.right], ordered: isOrdering(expression.operator) }]
    case 'any':
    case 'all': {
      const { item, array, operator } = expression
      return [{ terms: [item, ...termsOf(array)], ordered: isOrdering(operator) }]
    }
    case 'contains':
      return [{ terms: [...termsOf(expression.array), ...termsOf(expression.items)], ordered: false }]
  }
}

/** Whether an operator asks for more than equality. */
export function isOrdering(operator: SqlOperator): operator is Ordering {
  return operator !== '=' && operator !== '<>'
}

function termsOf(array: SqlArray): readonly Compared[] {
  return array.kind === 'set' ? [array.of] : array.of
}

/** Whether a half that only narrows stands somewhere in an expression. */
export function isNarrowed(expression: SqlExpression): boolean {
  if (expression.kind === 'and' || expression.kind === 'or') return expression.of.some(isNarrowed)
  return expression.kind === 'guarded' && expression.open !== null
}

/** An expression without the halves that only narrow: what decides when they let everything through. */
export function guardAlone(expression: SqlExpression): SqlExpression {
  return replaced(expression, one => (one.kind === 'guarded' ? { ...one, open: null } : one))
}

/** An expression as it is for whoever is in a role flag's role without leave to enter it. */
export function unentered(expression: SqlExpression): SqlExpression {
  return replaced(expression, one =>
    one.kind === 'bool' && one.of.via === 'entrance' ? { kind: 'const', value: false } : one
  )
}

/** Every part of an expression replaced, from the inside out. */
export function replaced(
  expression: SqlExpression,
  change: (one: SqlExpression) => SqlExpression
): SqlExpression {
  const inside = (one: SqlExpression) => replaced(one, change)
  switch (expression.kind) {
    case 'and':
    case 'or':
      return change({ ...expression, of: expression.of.map(inside) })
    case 'not':
    case 'not true':
    case 'exists':
      return change({ ...expression, of: inside(expression.of) })
    case 'guarded': {
      const open = expression.open === null ? null : inside(expression.open)
      return change({ ...expression, open, of: inside(expression.of) })
    }
    default:
      return change(expression)
  }
}

/** The operands of an expression replaced, those in its subqueries too. */
export function mapOperands(
  expression: SqlExpression,
  change: (one: SqlOperand) => SqlOperand
): SqlExpression {
  const array = (one: SqlArray): SqlArray =>
    one.kind === 'set' ? { kind: 'set', of: change(one.of) } : { kind: 'array', of: one.of.map(change) }
  return replaced(expression, one => {
    switch (one.kind) {
      case 'bool':
      case 'null':
        return { ...one, of: change(one.of) }
      case 'compare':
        return { ...one, left: change(one.left), right: change(one.right) }
      case 'any':
      case 'all':
        return { ...one, item: change(one.item), array: array(one.array) }
      case 'contains':
        return { ...one, array: array(one.array), items: array(one.items) }
      default:
        return one
    }
  })
}
