import type { Names } from './names.js'
import { readClause } from './read-clause.js'
import { type Grants, mustBeTable, readColumnGrant, readGrant, rolesOf } from './read-grant.js'
import type { SqlExpression } from './sql-expression.js'
import {
  fieldsOf,
  kindOf,
  listOf,
  must,
  nameOf,
  only,
  ReadBackError,
  refuse,
  type Tree,
  textOf
} from './tree.js'

/** The commands that policies and grants are about. */
export const COMMANDS = ['select', 'insert', 'update', 'delete'] as const
/** One of the four. */
export type Command = (typeof COMMANDS)[number]

/** A policy as PostgreSQL would have it after the statements. */
export interface ReadPolicy {
  readonly name: string
  readonly command: string
  readonly permissive: boolean
  readonly roles: readonly string[]
  readonly using: SqlExpression | null
  readonly check: SqlExpression | null
}

/** The security of one table after its statements were run on a table that somebody may have left in any state. */
export interface TableSecurity extends Grants {
  enabled: boolean
  forced: boolean
  readonly policies: Map<string, ReadPolicy>
  /** Commands that a function carries out for these roles, under the same formula; none of them may hold the right. */
  readonly byFunction: Set<Command>
}

/** A parser of SQL text, which gives one node for each statement. */
export type Parser = (text: string) => readonly unknown[]

/** Loads PostgreSQL's own parser. It is 1.7 MB of WebAssembly, so only those who prove something load it. */
export async function loadParser(): Promise<Parser> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  return text => {
    try {
      return (parseSync(text).stmts ?? []).map(({ stmt }) => stmt)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ReadBackError(`the generated SQL is not SQL: ${why}`, cause)
    }
  }
}

/**
 * Reads the statements of one table in their order.
 *
 * @param namesIn what the names in a policy stand for, by the roles that the policy is for
 * @throws ReadBackError for every statement, clause, operator, function, cast or name that is not in the grammar
 */
export function readTable(
  statements: readonly unknown[],
  table: string,
  namesIn: (roles: readonly string[]) => Names
): TableSecurity {
  const security: TableSecurity = {
    enabled: false,
    forced: false,
    policies: new Map(),
    byFunction: new Set(),
    granted: new Map(),
    withheld: new Map(),
    revoked: new Set()
  }
  for (const statement of statements) {
    const [kind, fields] = kindOf(statement)
    switch (kind) {
      case 'AlterTableStmt':
        readAlter(fields, table, security)
        break
      case 'DropStmt':
        readDrop(fields, table, security)
        break
      case 'CreatePolicyStmt':
        readPolicy(fields, table, { namesIn, security })
        break
      case 'GrantStmt':
        readGrant(fields, table, security)
        break
      case 'SelectStmt':
        readColumnGrant(fields, table, security)
        break
      default:
        refuse(`the statement ${kind}`)
    }
  }
  return security
}

function readAlter(fields: Tree, table: string, security: TableSecurity): void {
  const { relation, cmds, objtype } = only(fields, 'AlterTableStmt', 'relation', 'cmds', 'objtype')
  mustBeTable(relation, table)
  if (objtype !== 'OBJECT_TABLE') refuse('ALTER of something that is no table')
  for (const command of listOf(cmds)) {
    const { subtype } = fieldsOf(command, 'AlterTableCmd', 'subtype', 'behavior')
    switch (subtype) {
      case 'AT_EnableRowSecurity':
      case 'AT_DisableRowSecurity':
        security.enabled = subtype === 'AT_EnableRowSecurity'
        break
      case 'AT_ForceRowSecurity':
      case 'AT_NoForceRowSecurity':
        security.forced = subtype === 'AT_ForceRowSecurity'
        break
      default:
        refuse(`ALTER TABLE with ${String(subtype)}`)
    }
  }
}

function readDrop(fields: Tree, table: string, { policies }: TableSecurity): void {
  only(fields, 'DropStmt', 'objects', 'removeType', 'behavior', 'missing_ok')
  must(fields, 'removeType', 'OBJECT_POLICY')
  for (const object of listOf(fields['objects'])) {
    const [schema, relation, policy = '', ...more] = nameOf(fieldsOf(object, 'List', 'items')['items'])
    if (schema !== 'public' || relation !== table || more.length > 0) refuse('a policy of another table')
    policies.delete(policy)
  }
}

interface Target {
  readonly namesIn: (roles: readonly string[]) => Names
  readonly security: TableSecurity
}

function readPolicy(fields: Tree, table: string, { namesIn, security }: Target): void {
  const known = ['policy_name', 'table', 'cmd_name', 'permissive', 'roles', 'qual', 'with_check']
  only(fields, 'CreatePolicyStmt', ...known)
  mustBeTable(fields['table'], table)
  const name = textOf(fields['policy_name'])
  if (security.policies.has(name)) refuse(`two policies called ${name}`)
  const roles = rolesOf(fields['roles'])
  const clause = (node: unknown) => (node === undefined ? null : readClause(node, namesIn(roles)))
  security.policies.set(name, {
    name,
    command: textOf(fields['cmd_name']),
    permissive: fields['permissive'] === true,
    roles,
    using: clause(fields['qual']),
    check: clause(fields['with_check'])
  })
}
