import { comment, type Fragment, id, join, sql } from './fragment.js'
import type { SqlObject } from './object.js'

/** The commands that have policies and grants. */
export type Command = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'

/** What a role may do with a table: the commands for which it has a policy, and nothing else. */
export function grantObject(
  table: string,
  role: string,
  commands: readonly { readonly command: Command }[]
): SqlObject {
  const target = sql`public.${id(table)}`
  // safety: REVOKE first, so that TRUNCATE, REFERENCES, TRIGGER and what older rules granted are gone
  const revoke = sql`REVOKE ALL ON ${target} FROM PUBLIC, ${id(role)};`
  const granted = commands.map(({ command }) => commandSql(command))
  const grant =
    granted.length === 0
      ? comment(`${role} may do nothing here`)
      : sql`GRANT ${join(granted, ', ')} ON ${target} TO ${id(role)};`
  return { kind: 'grant', name: `${table} ${role}`, table, up: join([revoke, grant], '\n'), down: revoke }
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
