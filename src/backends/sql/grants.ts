import { comment, type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'

/** The commands that have policies and grants. */
export type Command = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'

/** Who gets what on a table. */
export interface TableGrant {
  readonly table: string
  readonly role: string
  /** The commands for which the role has a policy, and that are not a function's. */
  readonly commands: readonly Command[]
  /** The columns that no update of the role could ever change. */
  readonly unchangeable: readonly string[]
}

/** What a role may do with a table: the commands for which it has a policy, those that write by column. */
export function grantObject({ table, role, commands, unchangeable }: TableGrant): SqlObject {
  const target = sql`public.${id(table)}`
  // safety: REVOKE first, so that TRUNCATE, REFERENCES, TRIGGER and what older rules granted are gone, on columns too
  const revoke = sql`REVOKE ALL ON ${target} FROM PUBLIC, ${id(role)};`
  const whole = commands.filter(command => command === 'SELECT' || command === 'DELETE').map(commandSql)
  const byColumn = columnArguments({ table, role, commands, unchangeable }).map(
    values => sql`SELECT ${id(SCHEMA)}.grant_columns(${values});`
  )
  const granted = [
    ...(whole.length === 0 ? [] : [sql`GRANT ${join(whole, ', ')} ON ${target} TO ${id(role)};`]),
    ...byColumn
  ]
  const nothing = comment(`${role} may do nothing here`)
  return {
    kind: 'grant',
    name: `${table} ${role}`,
    table,
    up: join([revoke, ...(granted.length === 0 ? [nothing] : granted)], '\n'),
    down: revoke
  }
}

/** Table, role, command and the columns to leave out, for each command that is granted by column. */
function columnArguments({ table, role, commands, unchangeable }: TableGrant): readonly Fragment[] {
  return commands.flatMap(command => {
    if (command !== 'INSERT' && command !== 'UPDATE') return []
    const without = command === 'UPDATE' ? unchangeable.map(lit) : []
    return [sql`${join([table, role, command].map(lit), ', ')}, ARRAY[${join(without, ', ')}]::text[]`]
  })
}

/** Whether a column `a` is to be granted, and that it is one of the table. */
const OF_TABLE = sql`a.attrelid = format('public.%I', of_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped`
// an application that chooses ids learns from the conflict that a row it cannot see has one
const WRITABLE = sql`a.attname <> ALL (without) AND NOT (command = 'INSERT' AND a.attname = 'id' AND (a.atthasdef OR a.attidentity <> ''))`

/**
 * Grants INSERT or UPDATE on every column of a table but some, whatever columns it has on the day: rules do not know
 * the columns that the policy does not declare. Only the migration calls it.
 */
export function grantColumnsFunction(): FunctionSpec {
  return {
    name: 'grant_columns',
    parameters: [
      { name: 'of_table', type: sql`text` },
      { name: 'to_role', type: sql`text` },
      { name: 'command', type: sql`text` },
      { name: 'without', type: sql`text[]` }
    ],
    returns: sql`void`,
    volatility: 'VOLATILE',
    // safety: it grants with the rights of whoever calls it, so it is worth nothing to anybody but a superuser
    security: 'INVOKER',
    owner: ROLES.context,
    callers: [],
    body: sql`DECLARE
  names text;
BEGIN
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO names
  FROM pg_catalog.pg_attribute AS a
  WHERE ${OF_TABLE}
    AND ${WRITABLE};
  IF names IS NOT NULL THEN
    EXECUTE format('GRANT %s (%s) ON public.%I TO %I',
      CASE command WHEN 'INSERT' THEN 'INSERT' WHEN 'UPDATE' THEN 'UPDATE' END, names, of_table, to_role);
  END IF;
END`
  }
}

/** The keyword of a command. */
export function commandSql(command: Command): Fragment {
  switch (command) {
    case 'SELECT':
      return sql`SELECT`
    case 'INSERT':
      return sql`INSERT`
    case 'UPDATE':
      return sql`UPDATE`
    case 'DELETE':
      return sql`DELETE`
  }
}
