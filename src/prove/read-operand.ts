import { scalarOf } from '../analysis/domain.js'
import type { Relation } from '../ir/formula.js'
import type { Bundle, Resource } from '../ir/model.js'
import { type ScalarType, sameType, type Type, typeName } from '../ir/types.js'
import { canonicalScalar, type Scalar } from '../ir/values.js'
import type { SqlArray, SqlOperand } from './sql-expression.js'
import { readType, scalarCalled, sqlName } from './sql-types.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf } from './tree.js'

/** What the names in a resource's SQL stand for. */
export interface Names {
  readonly table: string
  readonly relations: readonly Relation[]
  /** The relation of the subquery that is read, where there is one. */
  readonly related: Relation | null
  readonly columns: ReadonlyMap<string, Type>
  /** Principal attributes by the schema-qualified function that returns them, verified. */
  readonly accessors: Attributes
  /** The role flag whose role a policy is for, and the function that says whether the role was entered with leave. */
  readonly entered: { readonly flag: string; readonly type: Type; readonly entrance: string } | null
  /** Principal attributes by the function that returns what a setting claims of them. */
  readonly claims: Attributes
  /** The function that says who there is, null when there is nobody. */
  readonly verified: string
}

type Attributes = ReadonlyMap<string, { readonly name: string; readonly type: Type; readonly via?: 'claim' }>

/** The functions through which SQL sees the principal. */
export interface PrincipalFunctions {
  readonly accessorOf: (attribute: string) => string
  readonly entranceOf: (flag: string) => string
  readonly claims: Readonly<Record<string, { readonly claim: string }>>
  readonly verified: string
}

/** The names of a resource and its principal, in policies of the app role. */
export function namesOf(resource: Resource, bundle: Bundle, functions: PrincipalFunctions): Names {
  const { accessorOf, claims, verified } = functions
  const accessors = new Map(bundle.principal.map(({ name, type }) => [accessorOf(name), { name, type }]))
  const claimed = bundle.principal.flatMap(({ name, type }) => {
    const { claim } = claims[name] ?? {}
    return claim === undefined ? [] : [[claim, { name, type, via: 'claim' }] as const]
  })
  return {
    table: resource.table ?? '',
    relations: resource.relations,
    related: null,
    columns: new Map(resource.columns.map(({ name, type }) => [name, type])),
    accessors,
    entered: null,
    claims: new Map(claimed),
    verified
  }
}

/**
 * The names in policies of a role flag's role: there the flag is whether the role was entered with leave.
 * safety: read by its ordinary accessor it would count for whoever says SET ROLE, unrecorded
 */
export function namesInRole(
  names: Names,
  flag: string,
  { accessorOf, entranceOf }: PrincipalFunctions
): Names {
  const type = names.accessors.get(accessorOf(flag))?.type
  return type === undefined ? names : { ...names, entered: { flag, type, entrance: entranceOf(flag) } }
}

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
 * table has it.
 */
function readColumn(parts: readonly string[], { table, related, columns }: Names): SqlOperand {
  const unknown = () => refuse(`the column ${parts.join('.')}`)
  const [first = '', second, ...more] = parts
  if (more.length > 0) return unknown()
  if (related === null || first === table) {
    const name = related === null ? first : (second ?? '')
    const type = columns.get(name)
    if (type === undefined || (related === null) !== (second === undefined)) return unknown()
    return { kind: 'column', name, type }
  }
  const column = first === RELATED ? related.columns.find(({ name }) => name === second) : undefined
  return column === undefined
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
