import { scalarOf } from '../analysis/domain.js'
import { isOrdered, sameType, type Type, typeName } from '../ir/types.js'
import type { Names } from './names.js'
import { readExists } from './read-exists.js'
import { accessorName, readArray, readConstant, readOperand, unify } from './read-operand.js'
import { isOrdering, type SqlExpression, type SqlOperator } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, nameOf, only, refuse, type Tree } from './tree.js'

const OPERATORS: readonly SqlOperator[] = ['=', '<>', '<', '<=', '>', '>=']

/**
 * A boolean expression of SQL. Everything that is not written out here is refused, and so is a comparison of values of
 * two types, though PostgreSQL would take two enums for text.
 *
 * @throws ReadBackError
 */
export function readExpression(node: unknown, names: Names): SqlExpression {
  const [kind, fields] = kindOf(node)
  switch (kind) {
    case 'BoolExpr':
      return readConnective(only(fields, kind, 'boolop', 'args'), names)
    case 'NullTest':
      return readNullTest(only(fields, kind, 'arg', 'nulltesttype'), names)
    case 'A_Expr':
      return readOperator(only(fields, kind, 'kind', 'name', 'lexpr', 'rexpr'), names)
    case 'SubLink':
      return fields['subLinkType'] === 'EXISTS_SUBLINK'
        ? readExists(only(fields, kind, 'subLinkType', 'subselect'), names, readExpression)
        : readBool(node, names)
    case 'BooleanTest': {
      const { arg, booltesttype } = only(fields, kind, 'arg', 'booltesttype')
      if (booltesttype !== 'IS_NOT_TRUE') return refuse(`BooleanTest ${String(booltesttype)}`)
      return { kind: 'not true', of: readExpression(arg, names) }
    }
    case 'A_Const': {
      const value = readConstant(fields)
      return typeof value === 'boolean' ? { kind: 'const', value } : refuse('a constant that is no condition')
    }
    default:
      return readBool(node, names)
  }
}

function readBool(node: unknown, names: Names): SqlExpression {
  const { entered } = names
  if (entered !== null && kindOf(node)[0] === 'SubLink' && accessorName(node) === entered.entrance) {
    const of = { kind: 'principal', name: entered.flag, type: entered.type, via: 'entrance' } as const
    return { kind: 'bool', of }
  }
  const of = readOperand(node, names)
  if (of.kind === 'principal' && of.name === entered?.flag) {
    return refuse(`the role of ${entered.flag} open to whoever has the flag, without leave to enter`)
  }
  return of.kind !== 'pending' && of.type.kind === 'bool'
    ? { kind: 'bool', of }
    : refuse('a value that is no bool')
}

function readConnective(fields: Tree, names: Names): SqlExpression {
  const args = listOf(fields['args'])
  if (fields['boolop'] === 'NOT_EXPR') return readNot(args, names)
  const parts = args.map(part => readExpression(part, names))
  switch (fields['boolop']) {
    case 'AND_EXPR':
      return { kind: 'and', of: parts }
    case 'OR_EXPR':
      return { kind: 'or', of: parts }
    default:
      return refuse(`the connective ${String(fields['boolop'])}`)
  }
}

/** In what is denied, the flag of a role is whether the principal has it, not whether he entered the role. */
function readNot(args: readonly unknown[], names: Names): SqlExpression {
  const [arg, ...more] = args
  if (arg === undefined || more.length > 0) return refuse('NOT of something else than one condition')
  const [kind, fields] = kindOf(arg)
  const accessor = kind === 'SubLink' && fields['subLinkType'] === 'EXPR_SUBLINK'
  return { kind: 'not', of: readExpression(arg, accessor ? { ...names, entered: null } : names) }
}

function readNullTest(fields: Tree, names: Names): SqlExpression {
  const of = readOperand(fields['arg'], names)
  const test = fields['nulltesttype']
  if (test !== 'IS_NULL' && test !== 'IS_NOT_NULL') return refuse(`the test ${String(test)}`)
  const negated = test === 'IS_NOT_NULL'
  // a constant that is read is never NULL
  return of.kind === 'pending' ? { kind: 'const', value: negated } : { kind: 'null', of, negated }
}

function readOperator(fields: Tree, names: Names): SqlExpression {
  const [symbol, ...more] = nameOf(fields['name'])
  if (more.length > 0) return refuse('an operator with a schema')
  const { lexpr: left, rexpr: right } = fields
  if (symbol === '@>' && fields['kind'] === 'AEXPR_OP') return readContains(left, right, names)
  const operator = OPERATORS.find(one => one === symbol) ?? refuse(`the operator ${symbol}`)
  switch (fields['kind']) {
    case 'AEXPR_OP': {
      const [a, b] = unify([readOperand(left, names), readOperand(right, names)])
      return a === undefined || b === undefined
        ? refuse('half of a comparison')
        : { kind: 'compare', operator: ordered(operator, a.type), left: a, right: b }
    }
    case 'AEXPR_IN': {
      // `x IN (a, b)` is defined as x = a OR x = b, and NOT IN as x <> a AND x <> b (manual, 9.25.1)
      const list = listOf(fieldsOf(right, 'List', 'items')['items'])
      const [item, ...values] = unify([left, ...list].map(one => readOperand(one, names)))
      if (item === undefined || isOrdering(operator)) return refuse('IN without an item')
      const of = values.map(value => ({ kind: 'compare', operator, left: item, right: value }) as const)
      return { kind: operator === '=' ? 'or' : 'and', of }
    }
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL': {
      const read = readOperand(left, names)
      const array = readArray(right, names, read.kind === 'pending' ? null : scalarOf(read.type))
      const [item] = unify([read], array.of)
      if (item === undefined) return refuse('ANY without an item')
      const kind = fields['kind'] === 'AEXPR_OP_ANY' ? 'any' : 'all'
      return { kind, operator: ordered(operator, array.of), item, array: array.array }
    }
    default:
      return refuse(`an operator of kind ${String(fields['kind'])}`)
  }
}

/** safety: text and uuid have another order in PostgreSQL than here, so they have none in the proof. */
function ordered(operator: SqlOperator, type: Type): SqlOperator {
  return isOrdering(operator) && !isOrdered(type) ? refuse(`${operator} on ${typeName(type)}`) : operator
}

function readContains(left: unknown, right: unknown, names: Names): SqlExpression {
  const array = readArray(left, names, null)
  const wanted = readArray(right, names, array.of)
  if (!sameType(array.of, wanted.of)) return refuse('@> between sets of two types')
  return { kind: 'contains', array: array.array, items: wanted.array }
}
