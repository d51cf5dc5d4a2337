import type { Term } from '../ir/formula.js'

/** What a comparison in SQL can look at: a column, an accessor's result or a constant. */
export type SqlOperand = Exclude<Term, { kind: 'list' }>

/** What stands after ANY, ALL or beside @>: a set, or an array of operands written out. */
export type SqlArray =
  | { readonly kind: 'set'; readonly of: SqlOperand }
  | { readonly kind: 'array'; readonly of: readonly SqlOperand[] }

/** How two operands are compared. */
export type SqlOperator = '=' | '<>'

/** A boolean expression of SQL, as it was read from the text. */
export type SqlExpression =
  | { readonly kind: 'const'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly SqlExpression[] }
  | { readonly kind: 'not'; readonly of: SqlExpression }
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

/** The terms that an expression compares with each other, comparison by comparison. */
export function comparedTerms(expression: SqlExpression): readonly (readonly Term[])[] {
  switch (expression.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return expression.of.flatMap(comparedTerms)
    case 'not':
      return comparedTerms(expression.of)
    case 'bool':
    case 'null':
      return [[expression.of]]
    case 'compare':
      return [[expression.left, expression.right]]
    case 'any':
    case 'all':
      return [[expression.item, ...termsOf(expression.array)]]
    case 'contains':
      return [[...termsOf(expression.array), ...termsOf(expression.items)]]
  }
}

function termsOf(array: SqlArray): readonly Term[] {
  return array.kind === 'set' ? [array.of] : array.of
}
