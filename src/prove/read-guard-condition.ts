import type { Bundle, Resource } from '../ir/model.js'
import { distinct } from './changes.js'
import { type Names, namesOf, type PrincipalFunctions } from './names.js'
import { readExpression } from './read-expression.js'
import type { SqlExpression } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** What the names in the guard of a table's columns stand for. */
export interface GuardNames extends Names {
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

/** The role of `isRole`; null for any other expression. */
export function roleOf(expression: SqlExpression): string | null {
  if (expression.kind !== 'bool' || expression.of.kind !== 'column') return null
  return expression.of.name.startsWith('role ') ? expression.of.name.slice('role '.length) : null
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
      return readActive(fields)
    case 'A_Expr':
      if (fields['kind'] === 'AEXPR_DISTINCT') return readDistinct(fields, names)
      return isCurrentUser(fields) ? readRole(fields, names) : readExpression(node, names)
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

/** `row_security_active(TG_RELID)`: true for everyone about whom anything is proved. */
function readActive(fields: Tree): SqlExpression {
  const call = only(fields, 'FuncCall', 'funcname', 'args', 'funcformat')
  must(call, 'funcformat', 'COERCE_EXPLICIT_CALL')
  const name = nameOf(call['funcname']).join('.')
  const [of, ...more] = listOf(call['args']).map(one =>
    nameOf(fieldsOf(one, 'ColumnRef', 'fields')['fields']).join('.')
  )
  if (name !== 'row_security_active' || of !== 'tg_relid' || more.length > 0)
    return refuse(`the function ${name}`)
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

function isCurrentUser(fields: Tree): boolean {
  const { lexpr } = fields
  return lexpr !== undefined && kindOf(lexpr)[0] === 'SQLValueFunction'
}

function readRole(fields: Tree, { roles }: GuardNames): SqlExpression {
  only(fields, 'A_Expr', 'kind', 'name', 'lexpr', 'rexpr')
  must(fields, 'kind', 'AEXPR_OP')
  const value = fieldsOf(fields['lexpr'], 'SQLValueFunction', 'op', 'typmod')
  must(value, 'op', 'SVFOP_CURRENT_USER')
  const constant = fieldsOf(fields['rexpr'], 'A_Const', 'sval')
  const role = textOf(treeOf(constant['sval'], 'a name')['sval'])
  if (nameOf(fields['name']).join('.') !== '=' || !roles.includes(role)) return refuse(`the role ${role}`)
  return isRole(role)
}
