import { readConstant } from './read-operand.js'
import { readType } from './sql-types.js'
import { fieldsOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** How PUBLIC is called among the roles; no role can have this name. */
export const PUBLIC = 'PUBLIC'

/** Who may do what with a table. */
export interface Grants {
  /** What each role was granted. A role that lost everything first is in `revoked`. */
  readonly granted: Map<string, Set<string>>
  /** The columns that each role was not granted UPDATE of. */
  readonly withheld: Map<string, readonly string[]>
  readonly revoked: Set<string>
}

/** GRANT and REVOKE on a whole table. */
export function readGrant(fields: Tree, table: string, { granted, revoked }: Grants): void {
  only(
    fields,
    'GrantStmt',
    'is_grant',
    'targtype',
    'objtype',
    'objects',
    'privileges',
    'grantees',
    'behavior'
  )
  must(fields, 'targtype', 'ACL_TARGET_OBJECT')
  must(fields, 'objtype', 'OBJECT_TABLE')
  for (const object of listOf(fields['objects'])) {
    mustBeTable(fieldsOf(object, 'RangeVar', ...RELATION), table)
  }
  const privileges = listOf(fields['privileges']).map(node =>
    textOf(fieldsOf(node, 'AccessPriv', 'priv_name')['priv_name'])
  )
  for (const role of rolesOf(fields['grantees'])) {
    const before = granted.get(role) ?? new Set()
    if (fields['is_grant'] === true) {
      // ALL is the same as an empty list here; it holds TRUNCATE, which no policy restrains
      const given = privileges.length > 0 ? privileges : ['all']
      granted.set(role, new Set([...before, ...given]))
    } else if (privileges.length === 0) {
      granted.delete(role)
      revoked.add(role)
    } else {
      granted.set(role, new Set([...before].filter(privilege => !privileges.includes(privilege))))
    }
  }
}

/** The commands that are granted by column. */
const BY_COLUMN: Readonly<Record<string, string>> = { INSERT: 'insert', UPDATE: 'update' }

/** `SELECT twinrule.grant_columns(table, role, command, columns)`: the command on every column but these. */
export function readColumnGrant(fields: Tree, table: string, { granted, withheld }: Grants): void {
  only(fields, 'SelectStmt', 'targetList', 'limitOption', 'op')
  must(fields, 'limitOption', 'LIMIT_OPTION_DEFAULT')
  must(fields, 'op', 'SETOP_NONE')
  const [target, ...more] = listOf(fields['targetList'])
  if (target === undefined || more.length > 0) refuse('a query of several columns')
  const call = fieldsOf(
    fieldsOf(target, 'ResTarget', 'val')['val'],
    'FuncCall',
    'funcname',
    'args',
    'funcformat'
  )
  const name = nameOf(call['funcname']).join('.')
  if (name !== 'twinrule.grant_columns') refuse(`the function ${name}`)
  const [of, role, command, columns, ...others] = listOf(call['args'])
  if (constantText(of) !== table || others.length > 0) refuse('a grant on another table')
  const privilege = BY_COLUMN[constantText(command)] ?? refuse('a grant by column of another command')
  const without = listOf(arrayOf(columns)).map(constantText)
  if (privilege === 'insert' && without.length > 0) refuse('a grant of INSERT without some columns')
  const to = constantText(role)
  granted.set(to, new Set([...(granted.get(to) ?? []), privilege]))
  if (privilege === 'update') withheld.set(to, without)
}

function arrayOf(node: unknown): unknown {
  const { arg, typeName } = fieldsOf(node, 'TypeCast', 'arg', 'typeName')
  const { name, array } = readType(typeName)
  if (name !== 'text' || !array) refuse('columns that are no text[]')
  return fieldsOf(arg, 'A_ArrayExpr', 'elements')['elements']
}

function constantText(node: unknown): string {
  return String(readConstant(fieldsOf(node, 'A_Const', 'sval')))
}

const RELATION = ['schemaname', 'relname', 'inh', 'relpersistence'] as const

/** Refuses a relation that is not the table of this name in schema public. */
export function mustBeTable(node: unknown, table: string): void {
  const fields = only(treeOf(node, 'a table'), 'RangeVar', ...RELATION)
  if (fields['schemaname'] !== 'public' || fields['relname'] !== table)
    refuse('a statement about another table')
}

/** The names in a list of roles. */
export function rolesOf(nodes: unknown): readonly string[] {
  return listOf(nodes).map(node => {
    const { roletype, rolename } = fieldsOf(node, 'RoleSpec', 'roletype', 'rolename')
    switch (roletype) {
      case 'ROLESPEC_PUBLIC':
        return PUBLIC
      case 'ROLESPEC_CSTRING':
        return textOf(rolename)
      default:
        return refuse(`a role given as ${String(roletype)}`)
    }
  })
}
