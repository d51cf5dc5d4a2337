import { type Related, relatedRows, type Truth, type Values } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import type { SqlArray, SqlExpression, SqlOperand, SqlOperator } from './sql-expression.js'

/** The time of a transaction, microseconds since 1970. */
export type TransactionTime = number | bigint | null

/** The truth of an expression for a principal and a row, at a time. */
export type SqlTruth = Read<Truth>

type Read<T> = (principal: Values, row: Values, now: TransactionTime, related?: Related) => T
type Items = readonly Value[] | null

/**
 * An expression as a function, with PostgreSQL's three truth values. Each case follows the manual or, where the manual
 * is silent (empty arrays, NULL in @>), PostgreSQL itself; test/prove/sql-eval.test.ts asks one.
 */
export function sqlTruth(expression: SqlExpression): SqlTruth {
  switch (expression.kind) {
    case 'const': {
      const { value } = expression
      return () => value
    }
    case 'and':
      return connective(expression.of.map(sqlTruth), false)
    case 'or':
      return connective(expression.of.map(sqlTruth), true)
    case 'not': {
      const inner = sqlTruth(expression.of)
      return (principal, row, now, related) => negation(inner(principal, row, now, related))
    }
    case 'not true': {
      const inner = sqlTruth(expression.of)
      return (principal, row, now, related) => inner(principal, row, now, related) !== true
    }
    case 'exists': {
      // what a WHERE does not find true is no row of the subquery, so EXISTS is never NULL (manual, 9.24.1)
      const { relation } = expression
      const where = sqlTruth(expression.of)
      return (principal, row, now) =>
        relatedRows(relation, row).some(related => where(principal, row, now, related) === true)
    }
    case 'guarded': {
      const open = expression.open === null ? null : sqlTruth(expression.open)
      const allowed = sqlTruth(expression.of)
      // in a subquery it is the policy of the other table, asked of the related row
      return (principal, row, now, related) =>
        (principal['id'] ?? null) !== null &&
        allowed(principal, row, now, related) === true &&
        (open === null || open(principal, row, now, related) === true)
    }
    case 'bool': {
      const read = operand(expression.of)
      return (principal, row, now, related) => read(principal, row, now, related) as Truth
    }
    case 'null': {
      const { negated } = expression
      const read = operand(expression.of)
      return (principal, row, now, related) => (read(principal, row, now, related) === null) !== negated
    }
    case 'compare': {
      const { operator } = expression
      const left = operand(expression.left)
      const right = operand(expression.right)
      return (principal, row, now, related) =>
        compare(operator, left(principal, row, now, related), right(principal, row, now, related))
    }
    case 'any':
    case 'all': {
      const { operator } = expression
      const item = operand(expression.item)
      const array = items(expression.array)
      const decisive = expression.kind === 'any'
      return (principal, row, now, related) =>
        quantified(
          decisive,
          operator,
          item(principal, row, now, related),
          array(principal, row, now, related)
        )
    }
    case 'contains': {
      const array = items(expression.array)
      const wanted = items(expression.items)
      return (principal, row, now, related) =>
        contains(array(principal, row, now, related), wanted(principal, row, now, related))
    }
  }
}

/** AND is decided by a false part, OR by a true one; else a NULL part makes it NULL (manual, 9.1). */
function connective(parts: readonly SqlTruth[], decisive: boolean): SqlTruth {
  return (principal, row, now, related) => {
    let truth: Truth = !decisive
    for (const part of parts) {
      const one = part(principal, row, now, related)
      if (one === decisive) return decisive
      if (one === null) truth = null
    }
    return truth
  }
}

function negation(truth: Truth): Truth {
  return truth === null ? null : !truth
}

function compare(operator: SqlOperator, left: Value, right: Value): Truth {
  if (left === null || right === null) return null
  switch (operator) {
    case '=':
      return left === right
    case '<>':
      return left !== right
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

/** `x op ANY (array)` and `x op ALL (array)` (manual, 9.25.3 and 9.25.4). */
function quantified(decisive: boolean, operator: SqlOperator, item: Value, array: Items): Truth {
  if (array === null) return null
  // an empty array decides even for a NULL item
  let truth: Truth = !decisive
  for (const one of array) {
    const compared = compare(operator, item, one)
    if (compared === decisive) return decisive
    if (compared === null) truth = null
  }
  return truth
}

/** `array @> items`: NULL elements are contained in nothing, so the answer is false, not NULL. */
function contains(array: Items, wanted: Items): Truth {
  if (array === null || wanted === null) return null
  return wanted.every(item => item !== null && array.includes(item))
}

function operand(of: SqlOperand): Read<Value> {
  switch (of.kind) {
    case 'column': {
      const { name } = of
      return (_, row) => (row[name] ?? null) as Value
    }
    case 'related': {
      const { name } = of
      return (_principal, _row, _now, related) => related?.[name] ?? null
    }
    case 'principal': {
      const { name } = of
      return principal => (principal[name] ?? null) as Value
    }
    case 'literal': {
      const { value } = of
      return () => value
    }
    case 'now':
      return (_principal, _row, now) => now
  }
}

function items(array: SqlArray): Read<Items> {
  if (array.kind === 'set') return operand(array.of) as Read<Items>
  const reads = array.of.map(operand)
  return (principal, row, now, related) => reads.map(read => read(principal, row, now, related))
}
