import { scalarOf } from '../analysis/domain.js'
import { type ScalarType, sameType, typeName } from '../ir/types.js'
import { canonicalScalar, type Scalar } from '../ir/values.js'
import { type Names, ownName } from './names.js'
import type { SqlArray, SqlOperand } from './sql-expression.js'
import { readType, scalarCalled, sqlName } from './sql-types.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf } from './tree.js'

/** A constant whose type is that of what it is compared with. */
export interface Pending {
  readonly kind: 'pending'
  readonly value: Scalar
}

/** An operand that is a value, not a set. */
export function readOperand(node: unknown, names: Names): SqlOperand | Pending {
  const [kind, fields] = kindOf(node)
  switch (kind) {
    case 'ColumnRef':
      return readColumn(nameOf(only(fields, kind, 'fields')['fields']), names)
    case 'SubLink':
      return readAccessor(only(fields, kind, 'subLinkType', 'subselect'), names)
    case 'FuncCall':
      return readCall(fields, names)
    case 'A_Const':
      return { kind: 'pending', value: readConstant(fields) }
    case 'TypeCast': {
      const { arg, typeName: target } = only(fields, kind, 'arg', 'typeName')
      const cast = readType(target)
      const of = readOperand(arg, names)
      if (cast.array) return refuse('a cast of one value to an array')
      return of.kind === 'pending' ? constant(of, scalarCalled(cast.name)) : named(of, cast.name)
    }
    default:
      return refuse(kind)
  }
}

/** How the related row is called in a subquery. */
export const RELATED = 'twinrule_related'

/**
 * A column. Outside of a subquery it has no table; inside it has one, because a bare name would be that of whichever
 * table has it. In a trigger it is always of the old row.
 */
function readColumn(parts: readonly string[], names: Names): SqlOperand {
  const { related, columns } = names
  const unknown = () => refuse(`the column ${parts.join('.')}`)
  const own = ownName(names)
  const [first = '', name, ...more] = own === null ? ['', ...parts] : parts
  if (name === undefined || more.length > 0) return unknown()
  if (own === null || first === own) {
    const type = columns.get(name)
    return type === undefined ? unknown() : { kind: 'column', name, type }
  }
  const column = first === RELATED ? related?.columns.find(one => one.name === name) : undefined
  return column === undefined || related === null
    ? unknown()
    : { kind: 'related', name: column.name, type: column.type, relation: related }
}

/** `now()`, PostgreSQL's own: the time at which the transaction began. Or what a setting claims. */
function readCall(fields: Tree, { claims }: Names): SqlOperand {
  const name = calledName(fields)
  const claim = claims.get(name)
  if (claim !== undefined) return { kind: 'principal', ...claim }
  return name === 'now' ? { kind: 'now', type: { kind: 'timestamptz' } } : refuse(`the function ${name}`)
}

function calledName(fields: Tree): string {
  const call = only(fields, 'FuncCall', 'funcname', 'funcformat')
  must(call, 'funcformat', 'COERCE_EXPLICIT_CALL')
  return nameOf(call['funcname']).join('.')
}

function readAccessor(fields: Tree, names: Names): SqlOperand {
  const name = accessorName({ SubLink: fields })
  const attribute = names.accessors.get(name)
  return attribute === undefined ? refuse(`the function ${name}`) : { kind: 'principal', ...attribute }
}

/** The function of `(SELECT twinrule.accessor())`, with nothing else in the subquery. */
export function accessorName(node: unknown): string {
  const fields = fieldsOf(node, 'SubLink', 'subLinkType', 'subselect')
  must(fields, 'subLinkType', 'EXPR_SUBLINK')
  const select = fieldsOf(fields['subselect'], 'SelectStmt', 'targetList', 'limitOption', 'op')
  must(select, 'limitOption', 'LIMIT_OPTION_DEFAULT')
  must(select, 'op', 'SETOP_NONE')
  const [target, ...more] = listOf(select['targetList'])
  if (more.length > 0) return refuse('a subquery of several columns')
  const { val } = fieldsOf(target, 'ResTarget', 'val')
  return calledName(fieldsOf(val, 'FuncCall', 'funcname', 'funcformat'))
}

/** An array and the type of its items. */
export interface TypedArray {
  readonly array: SqlArray
  readonly of: ScalarType
}

/**
 * A set column, an accessor's set, or ARRAY[...]; each may be cast to the type that it has.
 *
 * @param expected the type of constants, where what they are compared with has one
 */
export function readArray(node: unknown, names: Names, expected: ScalarType | null): TypedArray {
  const [kind, fields] = kindOf(node)
  if (kind === 'TypeCast') {
    const { arg, typeName: target } = only(fields, kind, 'arg', 'typeName')
    const cast = readType(target)
    if (!cast.array) return refuse('a cast of an array to one value')
    const [inner, innerFields] = kindOf(arg)
    if (inner === 'A_ArrayExpr') return writtenOut(innerFields, names, { expected, cast: cast.name })
    const array = readArray(arg, names, expected)
    return sqlName(array.of) === cast.name
      ? array
      : refuse(`a cast of ${typeName(array.of)}[] to ${cast.name}[]`)
  }
  if (kind === 'A_ArrayExpr') return writtenOut(fields, names, { expected, cast: null })
  const of = readOperand(node, names)
  if (of.kind === 'pending' || of.type.kind !== 'set') return refuse('one value in place of an array')
  return { array: { kind: 'set', of }, of: of.type.of }
}

interface Hints {
  readonly expected: ScalarType | null
  readonly cast: string | null
}

function writtenOut(fields: Tree, names: Names, { expected, cast }: Hints): TypedArray {
  const items = listOf(only(fields, 'A_ArrayExpr', 'elements')['elements']).map(item =>
    readOperand(item, names)
  )
  const typed = items.find((item): item is SqlOperand => item.kind !== 'pending')
  const of = typed === undefined ? (expected ?? scalarCalled(cast ?? 'text')) : scalarOf(typed.type)
  if (cast !== null && sqlName(of) !== cast) return refuse(`a cast of ${typeName(of)}[] to ${cast}[]`)
  return { array: { kind: 'array', of: unify(items, of) }, of }
}

/** Operands of one type: constants take the type of the others. */
export function unify(
  operands: readonly (SqlOperand | Pending)[],
  expected?: ScalarType
): readonly SqlOperand[] {
  const typed = operands.find((one): one is SqlOperand => one.kind !== 'pending')
  const type = expected ?? typed?.type
  if (type === undefined || type.kind === 'set') return refuse('a comparison of constants or sets')
  return operands.map(one => {
    if (one.kind === 'pending') return constant(one, type)
    return sameType(one.type, type)
      ? one
      : refuse(`a comparison of ${typeName(one.type)} with ${typeName(type)}`)
  })
}

function constant({ value }: Pending, type: ScalarType): SqlOperand {
  const canonical = canonicalScalar(type, value)
  return canonical.ok
    ? { kind: 'literal', value: canonical.value, type }
    : refuse(`a constant that is no ${typeName(type)}`)
}

function named(operand: SqlOperand, cast: string): SqlOperand {
  return operand.type.kind !== 'set' && sqlName(operand.type) === cast
    ? operand
    : refuse(`a cast of ${typeName(operand.type)} to ${cast}`)
}

/** The value of a constant, before it has a type. */
export function readConstant(fields: Tree): Scalar {
  const [entry, ...more] = Object.entries(only(fields, 'A_Const', 'ival', 'fval', 'sval', 'boolval')).filter(
    ([field]) => field.endsWith('val')
  )
  if (entry === undefined || more.length > 0) return refuse('a constant that is NULL')
  const [field, holder] = entry
  const value = (holder as Tree)[field]
  switch (field) {
    case 'ival':
      return typeof value === 'number' ? value : 0
    case 'fval':
      // integers beyond 32 bits are kept as text; anything else with a point is refused as no int
      return /^-?\d+$/.test(textOf(value)) ? BigInt(textOf(value)) : refuse('a number with a fraction')
    case 'boolval':
      return value === true
    default:
      return textOf(value)
  }
}
