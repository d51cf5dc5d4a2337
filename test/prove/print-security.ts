import { accessorOf, CLAIMS, entranceOf, VERIFIED_USER } from '../../src/backends/sql/names.js'
import { CALLER_ROLE } from '../../src/backends/sql/roles.js'
import { formatTimestamp } from '../../src/ir/time.js'
import { distinctColumn } from '../../src/prove/changes.js'
import type { ReadPolicy, TableSecurity } from '../../src/prove/read-back.js'
import type { ColumnGuard, ReadFunction, ReadTrigger } from '../../src/prove/read-guard.js'
import { roleOf } from '../../src/prove/read-guard-condition.js'
import type { SqlArray, SqlExpression, SqlOperand } from '../../src/prove/sql-expression.js'

/** The statements that bring a table to some security: the inverse of reading them back, to write mutants as SQL. */
export function printSecurity(
  table: string,
  { enabled, forced, policies, granted, revoked }: TableSecurity
): string {
  const target = `public."${table}"`
  return [
    enabled ? `ALTER TABLE ${target} ENABLE ROW LEVEL SECURITY;` : '',
    forced ? `ALTER TABLE ${target} FORCE ROW LEVEL SECURITY;` : '',
    ...[...policies.values()].map(policy => printPolicy(table, policy)),
    ...[...revoked].map(role => `REVOKE ALL ON ${target} FROM ${roleName(role)};`),
    ...[...granted].flatMap(([role, privileges]) =>
      privileges.size === 0 ? [] : [`GRANT ${[...privileges].join(', ')} ON ${target} TO ${roleName(role)};`]
    )
  ].join('\n')
}

function roleName(role: string): string {
  return role === 'PUBLIC' ? role : `"${role}"`
}

function printPolicy(table: string, policy: ReadPolicy): string {
  const { name, permissive, command, roles, using, check } = policy
  const scope = { table, inside: false }
  return [
    `CREATE POLICY "${name}" ON public."${table}" AS ${permissive ? 'PERMISSIVE' : 'RESTRICTIVE'}`,
    `FOR ${command} TO ${roles.map(roleName).join(', ')}`,
    using === null ? '' : `USING (${printExpression(using, scope)})`,
    check === null ? '' : `WITH CHECK (${printExpression(check, scope)})`
  ]
    .join(' ')
    .concat(';')
}

/** Where an expression stands: over which table, and whether in a subquery, where its columns have a prefix. */
interface Scope {
  readonly table: string
  readonly inside: boolean
}

type Operands = (of: SqlOperand) => string

/** One expression as SQL text. */
export function printExpression(one: SqlExpression, scope: Scope = { table: '', inside: false }): string {
  const operand = (of: SqlOperand) => printOperand(of, scope)
  const array = (of: SqlArray) => printArray(of, operand)
  const print = (part: SqlExpression, at = scope) => printExpression(part, at)
  const [column, role] = [distinctColumn(one), roleOf(one)]
  if (column !== null) return `OLD."${column}" IS DISTINCT FROM NEW."${column}"`
  if (role !== null) return `${role.of === 'role' ? 'current_user' : CALLER_ROLE} = '${role.role}'`
  switch (one.kind) {
    case 'const':
      return String(one.value)
    case 'and':
    case 'or':
      return one.of.map(part => `(${print(part)})`).join(` ${one.kind.toUpperCase()} `)
    case 'not':
      return `NOT (${print(one.of)})`
    case 'not true':
      return `(${print(one.of)}) IS NOT TRUE`
    case 'exists': {
      const { table, remote, local } = one.relation
      const join = `twinrule_related."${remote}" = "${scope.table}"."${local}"`
      const where = print(one.of, { ...scope, inside: true })
      return `EXISTS (SELECT FROM public."${table}" AS twinrule_related WHERE ${join} AND (${where}))`
    }
    case 'guarded': {
      const guard = `CASE WHEN (SELECT ${VERIFIED_USER}()) IS NULL THEN false WHEN ${print(one.of)} THEN true ELSE false END`
      return one.open === null ? guard : `(${print(one.open)}) AND ${guard}`
    }
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

function printArray(array: SqlArray, operand: Operands): string {
  if (array.kind === 'array') return `ARRAY[${array.of.map(operand).join(', ')}]`
  const text = operand(array.of)
  // without the cast PostgreSQL would read ANY ((SELECT ...)) as a subquery over rows
  return array.of.kind === 'principal' ? `${text}::text[]` : text
}

function printOperand(of: SqlOperand, { table, inside }: Scope): string {
  switch (of.kind) {
    case 'column':
      return inside ? `"${table}"."${of.name}"` : `"${of.name}"`
    case 'related':
      return `twinrule_related."${of.name}"`
    case 'principal':
      if (of.via === 'claim') return `${CLAIMS[of.name]?.claim}()`
      return `(SELECT ${of.via === 'entrance' ? entranceOf(of.name) : accessorOf(of.name)}())`
    case 'now':
      return 'now()'
    case 'literal':
      if (of.type.kind === 'timestamptz') return `'${formatTimestamp(of.value as number)}'::timestamptz`
      if (of.type.kind === 'uuid') return `'${of.value}'::uuid`
      return typeof of.value === 'string' ? `'${of.value.replaceAll("'", "''")}'` : String(of.value)
  }
}

/** In a trigger every column is one of the old row. */
const OLD_ROW: Scope = { table: 'old', inside: true }

/** The statements that guard the columns of a table: the inverse of reading them back. */
export function printGuard(table: string, { functions, triggers }: ColumnGuard): string {
  return [...functions.map(printFunction), ...triggers.map(one => printTrigger(table, one))].join('\n')
}

function printFunction({ name, invoker, path, steps }: ReadFunction): string {
  const body = steps.map(({ if: condition, does }) => {
    const then =
      does === 'raise'
        ? "RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'denied';"
        : 'RETURN NULL;'
    return `IF ${printExpression(condition, OLD_ROW)} THEN ${then} END IF;`
  })
  const rights = invoker ? 'INVOKER' : 'DEFINER'
  return `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY ${rights} SET search_path = ${path}
AS $$ BEGIN ${body.join('\n')} RETURN NULL; END $$;`
}

function printTrigger(table: string, { name, timing, events, eachRow, when, runs }: ReadTrigger): string {
  const condition = when === null ? '' : `WHEN (${printExpression(when, OLD_ROW)})`
  const each = eachRow ? 'FOR EACH ROW' : 'FOR EACH STATEMENT'
  return `CREATE TRIGGER "${name}" ${timing} ${events} ON public."${table}" ${each} ${condition} EXECUTE FUNCTION ${runs}();`
}
