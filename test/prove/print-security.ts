import { formatTimestamp } from '../../src/ir/time.js'
import type { ReadPolicy, TableSecurity } from '../../src/prove/read-back.js'
import type { SqlArray, SqlExpression, SqlOperand } from '../../src/prove/sql-expression.js'

/** The statements that bring a table to some security: the inverse of reading them back, to write mutants as SQL. */
export function printSecurity(
  table: string,
  { enabled, forced, policies, granted, revoked }: TableSecurity,
  accessorOf: (attribute: string) => string
): string {
  const target = `public."${table}"`
  return [
    enabled ? `ALTER TABLE ${target} ENABLE ROW LEVEL SECURITY;` : '',
    forced ? `ALTER TABLE ${target} FORCE ROW LEVEL SECURITY;` : '',
    ...[...policies.values()].map(policy => printPolicy(target, policy, accessorOf)),
    ...[...revoked].map(role => `REVOKE ALL ON ${target} FROM ${roleName(role)};`),
    ...[...granted].flatMap(([role, privileges]) =>
      privileges.size === 0 ? [] : [`GRANT ${[...privileges].join(', ')} ON ${target} TO ${roleName(role)};`]
    )
  ].join('\n')
}

function roleName(role: string): string {
  return role === 'PUBLIC' ? role : `"${role}"`
}

function printPolicy(target: string, policy: ReadPolicy, accessorOf: (attribute: string) => string): string {
  const { name, permissive, command, roles, using, check } = policy
  return [
    `CREATE POLICY "${name}" ON ${target} AS ${permissive ? 'PERMISSIVE' : 'RESTRICTIVE'}`,
    `FOR ${command} TO ${roles.map(roleName).join(', ')}`,
    using === null ? '' : `USING (${printExpression(using, accessorOf)})`,
    check === null ? '' : `WITH CHECK (${printExpression(check, accessorOf)})`
  ]
    .join(' ')
    .concat(';')
}

/** One expression as SQL text. */
export function printExpression(one: SqlExpression, accessorOf: (attribute: string) => string): string {
  const operand = (of: SqlOperand) => printOperand(of, accessorOf)
  const array = (of: SqlArray) => printArray(of, accessorOf)
  switch (one.kind) {
    case 'const':
      return String(one.value)
    case 'and':
    case 'or':
      return one.of.map(part => `(${printExpression(part, accessorOf)})`).join(` ${one.kind.toUpperCase()} `)
    case 'not':
      return `NOT (${printExpression(one.of, accessorOf)})`
    case 'bool':
      return operand(one.of)
    case 'null':
      return `${operand(one.of)} IS ${one.negated ? 'NOT ' : ''}NULL`
    case 'compare':
      return `${operand(one.left)} ${one.operator} ${operand(one.right)}`
    case 'any':
    case 'all':
      return `${operand(one.item)} ${one.operator} ${one.kind.toUpperCase()} (${array(one.array)})`
    case 'contains':
      return `${array(one.array)} @> ${array(one.items)}`
  }
}

function printArray(array: SqlArray, accessorOf: (attribute: string) => string): string {
  if (array.kind === 'array') return `ARRAY[${array.of.map(of => printOperand(of, accessorOf)).join(', ')}]`
  const text = printOperand(array.of, accessorOf)
  // without the cast PostgreSQL would read ANY ((SELECT ...)) as a subquery over rows
  return array.of.kind === 'principal' ? `${text}::text[]` : text
}

function printOperand(of: SqlOperand, accessorOf: (attribute: string) => string): string {
  switch (of.kind) {
    case 'column':
      return `"${of.name}"`
    case 'principal':
      return `(SELECT ${accessorOf(of.name)}())`
    case 'now':
      return 'now()'
    case 'literal':
      if (of.type.kind === 'timestamptz') return `'${formatTimestamp(of.value as number)}'::timestamptz`
      if (of.type.kind === 'uuid') return `'${of.value}'::uuid`
      return typeof of.value === 'string' ? `'${of.value.replaceAll("'", "''")}'` : String(of.value)
  }
}
