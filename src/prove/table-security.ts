import type { CommandGate } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import { COMMANDS, type Command, type ReadPolicy, type TableSecurity } from './read-back.js'
import { PUBLIC } from './read-grant.js'
import type { SqlExpression } from './sql-expression.js'

/** A role that runs applications' statements. `flag` is the principal's flag by which it is entered. */
export interface DatabaseRole {
  readonly role: string
  readonly flag: string | null
}

const CLAUSES: Readonly<Record<Command, { readonly using: boolean; readonly check: boolean }>> = {
  select: { using: true, check: false },
  insert: { using: false, check: true },
  update: { using: true, check: true },
  delete: { using: true, check: false }
}

const COMMAND_OF: Readonly<Record<CommandGate, Command>> = {
  read: 'select',
  create: 'insert',
  update: 'update',
  update_new: 'update',
  delete: 'delete'
}

const FALSE: SqlExpression = { kind: 'const', value: false }
const TRUE: SqlExpression = { kind: 'const', value: true }

/**
 * What PostgreSQL asks at a gate in a role: one of the role's permissive policies must be true, and the role must hold
 * the privilege. Where a policy has no WITH CHECK its USING judges the new row (manual, CREATE POLICY).
 */
export function gateOf(
  { enabled, granted, byFunction, policies }: TableSecurity,
  gate: CommandGate,
  role: string
): SqlExpression {
  const command = COMMAND_OF[gate]
  if (!granted.get(role)?.has(command) && !byFunction.has(command)) return FALSE
  if (!enabled) return TRUE
  const clauses = policiesFor(policies, command, role).map(({ using, check }) =>
    gate === 'update_new' || gate === 'create' ? (check ?? using ?? TRUE) : (using ?? TRUE)
  )
  const [only] = clauses
  if (only === undefined) return FALSE
  return clauses.length === 1 ? only : { kind: 'or', of: clauses }
}

/** Whether a role has a policy of its own at a gate. Without one PostgreSQL denies the whole command. */
export function hasPolicy({ policies }: TableSecurity, gate: CommandGate, role: string): boolean {
  return policiesFor(policies, COMMAND_OF[gate], role).length > 0
}

function policiesFor(
  policies: ReadonlyMap<string, ReadPolicy>,
  command: Command,
  role: string
): readonly ReadPolicy[] {
  return [...policies.values()].filter(
    one => one.permissive && one.command === command && one.roles.includes(role)
  )
}

/** Whatever about a table is not in the one shape that the proof is about. Each is a sentence. */
export function misshapen(
  security: TableSecurity,
  roles: readonly DatabaseRole[],
  resource: Resource
): readonly string[] {
  const { enabled, forced, policies, revoked } = security
  const known = roles.map(({ role }) => role)
  return [
    ...(enabled ? [] : ['row-level security is not enabled']),
    // safety: without FORCE the owner of the table is outside of every policy
    ...(forced ? [] : ['row-level security is not forced on the owner']),
    ...[...policies.values()].flatMap(policy => misshapenPolicy(policy, known)),
    ...known.flatMap(role =>
      COMMANDS.filter(command => policiesFor(policies, command, role).length > 1).map(
        command => `${role} has more than one policy for ${command}`
      )
    ),
    ...[PUBLIC, ...known]
      .filter(role => !revoked.has(role))
      .map(role => `what ${role} was granted before is not revoked`),
    ...misgranted(security, known),
    ...miswithheld(security, resource)
  ]
}

function misshapenPolicy(
  { name, command, permissive, roles, using, check }: ReadPolicy,
  known: readonly string[]
): readonly string[] {
  const [role, ...more] = roles
  const wanted = COMMANDS.find(one => one === command)
  const clauses = wanted === undefined ? null : CLAUSES[wanted]
  const clause = (word: string, there: boolean, expected: boolean) =>
    there === expected ? [] : [`the policy ${name} has ${there ? 'a' : 'no'} ${word}`]
  return [
    ...(permissive ? [] : [`the policy ${name} is restrictive`]),
    ...(role !== undefined && more.length === 0 && known.includes(role)
      ? []
      : [`the policy ${name} is for ${roles.join(', ')}`]),
    ...(clauses === null
      ? [`the policy ${name} is for the command ${command}`]
      : [
          ...clause('USING', using !== null, clauses.using),
          ...clause('WITH CHECK', check !== null, clauses.check)
        ])
  ]
}

function misgranted(
  { granted, byFunction, policies }: TableSecurity,
  known: readonly string[]
): readonly string[] {
  const functionAlone = [...granted].flatMap(([role, privileges]) =>
    // safety: with DELETE on the table a role could lock it
    [...byFunction]
      .filter(command => privileges.has(command))
      .map(command => `${role} is granted ${command}, which a function alone is for`)
  )
  const loose = [...granted].flatMap(([role, privileges]) =>
    [...privileges]
      .filter(privilege => {
        const command = COMMANDS.find(one => one === privilege)
        return (
          command === undefined || !known.includes(role) || policiesFor(policies, command, role).length === 0
        )
      })
      .map(privilege => `${role} is granted ${privilege} without a policy for it`)
  )
  return [...functionAlone, ...loose]
}

/** A role that may not update a column at all would be denied what a rule allows, unless the column has a rule. */
function miswithheld({ withheld }: TableSecurity, { immutable, columnRules }: Resource): readonly string[] {
  const barred = new Set([...immutable, ...columnRules.flatMap(({ columns }) => columns)])
  return [...withheld].flatMap(([role, columns]) =>
    columns
      .filter(column => !barred.has(column))
      .map(column => `${role} is not granted UPDATE of ${column}, which no column rule is about`)
  )
}
