import type { Bundle, Resource } from '../ir/model.js'
import { distinct } from './changes.js'
import { type Names, namesOf, type PrincipalFunctions } from './names.js'
import { readExpression } from './read-expression.js'
import type { SqlExpression } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** What the names in the guard of a table's columns stand for. */
export interface GuardNames extends Names {
  /** The table itself. */
  readonly table: string
  /** The roles with which `current_user` may be compared. */
  readonly roles: readonly string[]
}

/** The names in the guard of a resource's columns, which is one for all roles. */
export function guardNames(
  resource: Resource,
  bundle: Bundle,
  { roles, functions }: { readonly roles: readonly string[]; readonly functions: PrincipalFunctions }
): GuardNames {
  const names = namesOf(resource, bundle, functions)
  const entrances = bundle.principal.flatMap(({ name, type, role }) =>
    role === undefined ? [] : [[functions.entranceOf(name), { name, type, via: 'entrance' }] as const]
  )
  return {
    ...names,
    table: resource.table ?? '',
    own: 'old',
    claims: new Map(),
    accessors: new Map([...names.accessors, ...entrances]),
    roles
  }
}

const BOOL = { kind: 'bool' } as const

/** `current_user = 'role'`: a column that no row has, until it is known which role asks. */
export function isRole(role: string): SqlExpression {
  return { kind: 'bool', of: { kind: 'column', name: `role ${role}`, type: BOOL } }
}

/** The same of the role that the caller of a function is in, which runs as its owner. */
function isCaller(role: string): SqlExpression {
  return { kind: 'bool', of: { kind: 'column', name: `caller ${role}`, type: BOOL } }
}

/** The role of `isRole` or `isCaller`, and which of them; null for any other expression. */
export function roleOf(expression: SqlExpression): { readonly of: string; readonly role: string } | null {
  if (expression.kind !== 'bool' || expression.of.kind !== 'column') return null
  const [, of, role] = /^(role|caller) (.*)$/s.exec(expression.of.name) ?? []
  return of === undefined || role === undefined ? null : { of, role }
}

/**
 * A condition of a trigger or in its function: conditions on the old row, on what changes and on who asks.
 *
 * @throws ReadBackError
 */
export function readGuardCondition(node: unknown, names: GuardNames): SqlExpression {
  const [kind, fields] = kindOf(node)
  switch (kind) {
    case 'BoolExpr':
      return readConnective(only(fields, kind, 'boolop', 'args'), names)
    case 'BooleanTest': {
      const { arg } = only(fields, kind, 'arg', 'booltesttype')
      must(fields, 'booltesttype', 'IS_NOT_TRUE')
      return { kind: 'not true', of: readGuardCondition(arg, names) }
    }
    case 'FuncCall':
      return readActive(fields, names)
    case 'A_Expr':
      if (fields['kind'] === 'AEXPR_DISTINCT') return readDistinct(fields, names)
      return isAboutRole(fields) ? readRole(fields, names) : readExpression(node, names)
    default:
      return readExpression(node, names)
  }
}

function readConnective(fields: Tree, names: GuardNames): SqlExpression {
  const parts = listOf(fields['args']).map(part => readGuardCondition(part, names))
  const [first, ...more] = parts
  switch (fields['boolop']) {
    case 'AND_EXPR':
      return { kind: 'and', of: parts }
    case 'OR_EXPR':
      return { kind: 'or', of: parts }
    case 'NOT_EXPR':
      return first === undefined || more.length > 0 ? refuse('NOT of nothing') : { kind: 'not', of: first }
    default:
      return refuse(`the connective ${String(fields['boolop'])}`)
  }
}

/** `row_security_active('public.table'::regclass)`: true for everyone about whom anything is proved. */
function readActive(fields: Tree, { table }: GuardNames): SqlExpression {
  const call = only(fields, 'FuncCall', 'funcname', 'args', 'funcformat')
  must(call, 'funcformat', 'COERCE_EXPLICIT_CALL')
  const name = nameOf(call['funcname']).join('.')
  const [of, ...more] = listOf(call['args'])
  if (name !== 'row_security_active' || more.length > 0) return refuse(`the function ${name}`)
  const { arg, typeName } = fieldsOf(of, 'TypeCast', 'arg', 'typeName')
  const type = nameOf(treeOf(typeName, 'a type')['names']).join('.')
  if (type !== 'regclass' || !isText(arg, `public.${table}`)) return refuse('row security of another table')
  return { kind: 'const', value: true }
}

/** `OLD.column IS DISTINCT FROM NEW.column`, of one column. */
function readDistinct(fields: Tree, { columns }: GuardNames): SqlExpression {
  only(fields, 'A_Expr', 'kind', 'name', 'lexpr', 'rexpr')
  if (nameOf(fields['name']).join('.') !== '=') return refuse('IS DISTINCT FROM by an operator of its own')
  const [old, next] = [fields['lexpr'], fields['rexpr']].map(node =>
    nameOf(fieldsOf(node, 'ColumnRef', 'fields')['fields'])
  )
  const [column] = old?.slice(1) ?? []
  if (old?.join('.') !== `old.${column}` || next?.join('.') !== `new.${column}`)
    return refuse('IS DISTINCT FROM between other things than a column before and after')
  return column !== undefined && columns.has(column) ? distinct(column) : refuse(`the column ${column}`)
}

function isAboutRole({ lexpr }: Tree): boolean {
  return lexpr !== undefined && ['SQLValueFunction', 'CoalesceExpr'].includes(kindOf(lexpr)[0])
}

/** `current_user = 'role'`, `<> 'role'` or `IN ('role')`, and the first of them about the caller of a function. */
function readRole(fields: Tree, { roles }: GuardNames): SqlExpression {
  const { kind, name, lexpr, rexpr } = only(fields, 'A_Expr', 'kind', 'name', 'lexpr', 'rexpr')
  const [operator] = nameOf(name)
  const role = (node: unknown): string => {
    const read = textOf(treeOf(fieldsOf(node, 'A_Const', 'sval')['sval'], 'a name')['sval'])
    return roles.includes(read) ? read : refuse(`the role ${read}`)
  }
  if (kindOf(lexpr)[0] === 'CoalesceExpr') {
    mustBeCaller(lexpr)
    return kind === 'AEXPR_OP' && operator === '=' ? isCaller(role(rexpr)) : refuse(`a caller by ${operator}`)
  }
  mustBeValue(lexpr, 'SVFOP_CURRENT_USER')
  if (kind === 'AEXPR_IN' && operator === '=') {
    const items = listOf(fieldsOf(rexpr, 'List', 'items')['items'])
    return { kind: 'or', of: items.map(item => isRole(role(item))) }
  }
  if (kind !== 'AEXPR_OP' || (operator !== '=' && operator !== '<>')) return refuse(`a role by ${operator}`)
  const of = isRole(role(rexpr))
  return operator === '=' ? of : { kind: 'not', of }
}

function mustBeValue(node: unknown, op: string): void {
  must(fieldsOf(node, 'SQLValueFunction', 'op', 'typmod'), 'op', op)
}

/** `COALESCE(NULLIF(current_setting('role'), 'none'), session_user::text)`: `SET ROLE`, or else the login. */
function mustBeCaller(node: unknown): void {
  const [entered, login, ...more] = listOf(fieldsOf(node, 'CoalesceExpr', 'args')['args'])
  const unless = fieldsOf(entered, 'A_Expr', 'kind', 'name', 'lexpr', 'rexpr')
  must(unless, 'kind', 'AEXPR_NULLIF')
  const call = fieldsOf(unless['lexpr'], 'FuncCall', 'funcname', 'args', 'funcformat')
  const [setting, ...others] = listOf(call['args'])
  const cast = fieldsOf(login, 'TypeCast', 'arg', 'typeName')
  mustBeValue(cast['arg'], 'SVFOP_SESSION_USER')
  const type = nameOf(treeOf(cast['typeName'], 'a type')['names']).join('.')
  const isIt =
    nameOf(call['funcname']).join('.') === 'current_setting' &&
    isText(setting, 'role') &&
    isText(unless['rexpr'], 'none')
  if (!isIt || type !== 'text' || others.length + more.length > 0) refuse('a COALESCE that is not the caller')
}

function isText(node: unknown, text: string): boolean {
  return treeOf(fieldsOf(node, 'A_Const', 'sval')['sval'], 'a text')['sval'] === text
}
