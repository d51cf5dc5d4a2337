import { formatDate, formatTimestamp, parseDate, parseTimestamp } from '../ir/time.js'
import { listOf, nameOf, type Tree } from '../prove/tree.js'
import { spelledType } from './names.js'

/** The type of an operand where it is known, in the words of the catalog: a column's, an accessor's. */
export type TypeOf = (operand: unknown) => string | undefined

const PLACES = /^(?:location|list_start|list_end|rexpr_list_start|rexpr_list_end|stmt_location|stmt_len)$/

/** Types between which nothing changes but the name. */
const TEXTS = ['text', 'character varying']
const WHOLE = ['integer', 'bigint', 'smallint']
const WHOLE_NUMBER = /^-?(?:0|[1-9]\d{0,18})$/

/**
 * One form for all the ways in which PostgreSQL prints an expression: without places in the text, without names of
 * columns that nobody reads, without casts that change nothing, IN as ANY and NOT IN as ALL, AND and OR flat. Each
 * step keeps what the expression means; what no step knows stays as it is, and so differs where it differs.
 */
export function canonical(node: unknown, typeOf: TypeOf): unknown {
  if (Array.isArray(node)) return node.map(one => canonical(one, typeOf))
  if (typeof node !== 'object' || node === null) return node
  const fields = Object.entries(node)
    .filter(([name]) => !PLACES.test(name))
    .map(([name, value]) => [name, canonical(value, typeOf)] as const)
  const [kind, inner] = fields[0] ?? ['', undefined]
  const made: Tree = Object.fromEntries(fields)
  if (fields.length !== 1 || typeof inner !== 'object' || inner === null) return made
  return rewritten(kind, inner as Tree, made, typeOf)
}

/** Whether two trees are the same when canonical. */
export function sameTree(a: unknown, b: unknown, typeOf: TypeOf): boolean {
  return JSON.stringify(canonical(a, typeOf)) === JSON.stringify(canonical(b, typeOf))
}

function rewritten(kind: string, fields: Tree, node: Tree, typeOf: TypeOf): Tree {
  switch (kind) {
    case 'SubLink':
      return { SubLink: withoutColumnName(fields) }
    case 'BoolExpr':
      return { BoolExpr: flat(fields) }
    case 'TypeCast':
      return cast(fields, node, typeOf)
    case 'A_Expr':
      return { A_Expr: withoutIn(fields) }
    default:
      return node
  }
}

/** `(SELECT f() AS f)`: a subquery of one value gives its column a name that nothing can read. */
function withoutColumnName(fields: Tree): Tree {
  if (fields['subLinkType'] !== 'EXPR_SUBLINK') return fields
  const select = at(fields, 'subselect', 'SelectStmt')
  const [target, ...more] = listOf(select?.['targetList'])
  const column = at(target, 'ResTarget')
  if (select === undefined || column === undefined || more.length > 0) return fields
  const { name, ...rest } = column
  return { ...fields, subselect: { SelectStmt: { ...select, targetList: [{ ResTarget: rest }] } } }
}

function flat(fields: Tree): Tree {
  const { boolop } = fields
  if (boolop === 'NOT_EXPR') return fields
  const args = listOf(fields['args']).flatMap(one => {
    const inner = at(one, 'BoolExpr')
    return inner?.['boolop'] === boolop ? listOf(inner?.['args']) : [one]
  })
  return { ...fields, args }
}

/** `x IN (a, b)` is stored as `x = ANY (ARRAY[a, b])`, and NOT IN as `<> ALL`. */
function withoutIn(fields: Tree): Tree {
  const items = at(fields, 'rexpr', 'List')?.['items']
  if (fields['kind'] !== 'AEXPR_IN' || items === undefined) return fields
  const kind = nameOf(fields['name'])[0] === '=' ? 'AEXPR_OP_ANY' : 'AEXPR_OP_ALL'
  return { ...fields, kind, rexpr: { A_ArrayExpr: { elements: items } } }
}

function cast({ arg, typeName }: Tree, node: Tree, typeOf: TypeOf): Tree {
  // safety: varchar(3) cuts text off, so it is no other name of text
  if (!isPlain(typeName)) return node
  const type = spelledType(typeName)
  const operand = arg as Tree
  const array = at(operand, 'A_ArrayExpr')
  if (array !== undefined && type.endsWith('[]')) {
    // an array that is written out is made of its elements in their type
    const element = type.slice(0, -2)
    const elements = listOf(array['elements']).map(one =>
      cast(
        { arg: one, typeName: named(element) },
        { TypeCast: { arg: one, typeName: named(element) } },
        typeOf
      )
    )
    return { A_ArrayExpr: { ...array, elements } }
  }
  const constant = at(operand, 'A_Const', 'sval')
  if (constant !== undefined)
    return typedConstant(String(constant['sval'] ?? ''), type) ?? spelled(operand, type)
  const number = at(operand, 'A_Const', 'ival') ?? at(operand, 'A_Const', 'fval')
  if (number !== undefined && WHOLE.includes(type)) return whole(number) ?? node
  const inner = at(operand, 'TypeCast')
  const known =
    inner !== undefined && isPlain(inner['typeName']) ? spelledType(inner['typeName']) : typeOf(operand)
  const idle = known === type || (TEXTS.includes(type) && known !== undefined && TEXTS.includes(known))
  return idle ? operand : (spelled(operand, type) ?? node)
}

function isPlain(typeName: unknown): boolean {
  const { names, typemod, arrayBounds, ...more } = Object(typeName) as Tree
  return typemod === -1 && listOf(arrayBounds).length < 2 && Object.keys(more).length === 0
}

/** A text constant that is read as another type, in the one spelling of its value; null where it keeps its cast. */
function typedConstant(text: string, type: string): Tree | null {
  if (TEXTS.includes(type)) return constantOf(text)
  if (WHOLE.includes(type) && WHOLE_NUMBER.test(text)) return wholeNumber(text)
  if (type === 'timestamp with time zone') {
    const micros = parseTimestamp(text)
    return micros === null ? null : spelled(constantOf(formatTimestamp(micros)), type)
  }
  if (type !== 'date') return null
  const days = parseDate(text)
  return days === null ? null : spelled(constantOf(formatDate(days)), type)
}

/** A whole number; another one would be rounded by the cast. */
function whole({ ival, fval }: Tree): Tree | null {
  const text = String(fval ?? ival ?? 0)
  return WHOLE_NUMBER.test(text) ? wholeNumber(text) : null
}

function wholeNumber(text: string): Tree {
  const small = BigInt.asIntN(32, BigInt(text)) === BigInt(text)
  if (!small) return { A_Const: { fval: { fval: text } } }
  return { A_Const: { ival: text === '0' ? {} : { ival: Number(text) } } }
}

const constantOf = (text: string): Tree => ({ A_Const: { sval: { sval: text } } })

/** A cast whose type is spelled in one way. */
function spelled(arg: Tree, type: string): Tree {
  return { TypeCast: { arg, typeName: named(type) } }
}

const SHORT: Readonly<Record<string, string>> = {
  boolean: 'bool',
  integer: 'int4',
  bigint: 'int8',
  smallint: 'int2',
  'character varying': 'varchar',
  'timestamp with time zone': 'timestamptz'
}

function named(type: string): Tree {
  const bare = type.replaceAll('[]', '')
  const bounds = type.length > bare.length ? { arrayBounds: [{ Integer: { ival: -1 } }] } : {}
  const names = (SHORT[bare] ?? bare).split('.').map(sval => ({ String: { sval } }))
  return { names, typemod: -1, ...bounds }
}

/** The fields at the end of a chain of names, or undefined. */
function at(node: unknown, ...names: readonly string[]): Tree | undefined {
  let here: unknown = node
  for (const name of names) {
    here = typeof here === 'object' && here !== null ? (here as Tree)[name] : undefined
  }
  return typeof here === 'object' && here !== null ? (here as Tree) : undefined
}
