import type { CommandGate } from '../../ir/gates.js'
import type { Bundle, Resource } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import { boundedName, ROLES } from './names.js'
import type { SqlObject } from './object.js'
import { gateSql, roleViews } from './policies.js'
import { CALLER_ROLE, writerRoles } from './roles.js'

/** What a function's owner does with a table for applications, and the gates that it is held to. */
interface Writing {
  readonly command: 'UPDATE' | 'DELETE'
  readonly using: CommandGate
  /** Null: the new row is no question, because the row as it was decides. */
  readonly check: CommandGate | null
}

/** A function's owner that writes some columns of a table, or deletes its rows. */
interface Writer {
  readonly role: string
  readonly columns: readonly string[]
  readonly writings: readonly Writing[]
}

function writersOf({ softDelete, deleteThrough, columnRules }: Resource): readonly Writer[] {
  const through = columnRules.flatMap(rule => (rule.through === null ? [] : rule.columns))
  const deletions: readonly Writing[] = [
    // a deletion that keeps the row is a deletion all the same
    ...(softDelete === null ? [] : [{ command: 'UPDATE', using: 'delete', check: null } as const]),
    ...(deleteThrough === 'remove' ? [{ command: 'DELETE', using: 'delete', check: null } as const] : [])
  ]
  const changes: readonly Writing[] =
    through.length === 0 ? [] : [{ command: 'UPDATE', using: 'update', check: 'update_new' }]
  return [
    { role: ROLES.remover, columns: softDelete === null ? [] : [softDelete], writings: deletions },
    { role: ROLES.sharer, columns: through, writings: changes }
  ].filter(({ writings }) => writings.length > 0)
}

/**
 * What the owners of the functions that write for applications may do with a table: find a row by its id, and update
 * these columns where the rules of the caller's role say so. The formulas are those of the policies.
 */
export function writerObjects(resource: Resource, bundle: Bundle): readonly SqlObject[] {
  const { table } = resource
  if (table === null) return []
  return writersOf(resource).flatMap(writer => [
    ...writer.writings.map(writing =>
      writerPolicy(resource, table, { ...writing, role: writer.role }, bundle)
    ),
    writerGrant(table, writer)
  ])
}

function writerPolicy(
  resource: Resource,
  table: string,
  { role, command, using, check }: Writing & Pick<Writer, 'role'>,
  bundle: Bundle
): SqlObject {
  const old = sql`  USING (\n    ${forCaller(resource, using, bundle)}\n  )`
  const writer = role.replace('twinrule_', '')
  const name = boundedName('twinrule_', table, command === 'DELETE' ? `_${writer}_delete` : `_${writer}`)
  if (command === 'DELETE') return policy(table, name, sql`FOR DELETE TO ${id(role)}\n${old}`)
  const next =
    check === null
      ? sql`  WITH CHECK (true)`
      : sql`  WITH CHECK (\n    ${forCaller(resource, check, bundle)}\n  )`
  return policy(table, name, sql`FOR UPDATE TO ${id(role)}\n${old}\n${next}`)
}

/** A gate as the role sees it that the caller is in. */
function forCaller(resource: Resource, gate: CommandGate, bundle: Bundle): Fragment {
  const cases = roleViews(bundle).flatMap(view => {
    const open = gateSql(resource, gate, view, 8)
    return open === null ? [] : [sql`      WHEN ${lit(view.role)} THEN (\n        ${open}\n      )`]
  })
  if (cases.length === 0) return sql`false`
  return sql`CASE ${CALLER_ROLE}
${join(cases, '\n')}
      ELSE false
    END`
}

function writerGrant(table: string, { role, columns, writings }: Writer): SqlObject {
  const target = sql`public.${id(table)}`
  const revoke = sql`REVOKE ALL ON ${target} FROM ${id(role)};`
  const read = join(['id', ...columns].map(id), ', ')
  const rights = [
    sql`SELECT (${read})`,
    ...(columns.length === 0 ? [] : [sql`UPDATE (${join(columns.map(id), ', ')})`]),
    ...(writings.some(({ command }) => command === 'DELETE') ? [sql`DELETE`] : [])
  ]
  return {
    kind: 'grant',
    name: `${table} ${role}`,
    table,
    derived: true,
    up: sql`${revoke}
GRANT ${join(rights, ', ')} ON ${target} TO ${id(role)};`,
    down: revoke
  }
}

/**
 * Lets these owners see every row: of the tables that they write, because PostgreSQL shows the new row to the reading
 * policy, and of those that relations lead to. What counts of related rows says the formula itself.
 */
export function writerReads(bundle: Bundle): readonly SqlObject[] {
  const roles = writerRoles(bundle)
  const written = bundle.resources.filter(resource => writersOf(resource).length > 0)
  const related = written.flatMap(({ relations }) => relations.flatMap(({ table }) => table ?? []))
  return bundle.resources.flatMap(resource => {
    const { table } = resource
    if (table === null || !(written.includes(resource) || related.includes(table))) return []
    return policy(
      table,
      boundedName('twinrule_', table, '_writers'),
      sql`FOR SELECT TO ${join(roles.map(id), ', ')} USING (true)`
    )
  })
}

function policy(table: string, name: string, text: Fragment): SqlObject {
  const target = sql`public.${id(table)}`
  const drop = sql`DROP POLICY IF EXISTS ${id(name)} ON ${target};`
  return {
    kind: 'policy',
    name,
    table,
    derived: true,
    up: sql`${drop}\nCREATE POLICY ${id(name)} ON ${target}\n  AS PERMISSIVE ${text};`,
    down: drop
  }
}
