import type { CommandGate } from '../../ir/gates.js'
import type { Bundle, Resource } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import { ROLES } from './names.js'
import type { SqlObject } from './object.js'
import { gateSql, roleViews } from './policies.js'
import { CALLER_ROLE, writerRoles } from './roles.js'

/** A function's owner that writes some columns of a table for applications, and the gates that it is held to. */
interface Writer {
  readonly role: string
  readonly columns: readonly string[]
  readonly using: CommandGate
  /** Null: the new row is no question, because the row as it was decides. */
  readonly check: CommandGate | null
}

function writersOf({ softDelete, columnRules }: Resource): readonly Writer[] {
  const through = columnRules.flatMap(rule => (rule.through === null ? [] : rule.columns))
  return [
    // a deletion that keeps the row is a deletion all the same
    ...(softDelete === null
      ? []
      : [{ role: ROLES.remover, columns: [softDelete], using: 'delete', check: null } as const]),
    ...(through.length === 0
      ? []
      : [{ role: ROLES.sharer, columns: through, using: 'update', check: 'update_new' } as const])
  ]
}

/**
 * What the owners of the functions that write for applications may do with a table: find a row by its id, and update
 * these columns where the rules of the caller's role say so. The formulas are those of the policies.
 */
export function writerObjects(resource: Resource, bundle: Bundle): readonly SqlObject[] {
  const { table } = resource
  if (table === null) return []
  return writersOf(resource).flatMap(writer => [
    updatePolicy(resource, table, writer, bundle),
    writerGrant(table, writer)
  ])
}

function updatePolicy(
  resource: Resource,
  table: string,
  { role, using, check }: Writer,
  bundle: Bundle
): SqlObject {
  const clauses = [
    sql`  USING (\n    ${forCaller(resource, using, bundle)}\n  )`,
    check === null
      ? sql`  WITH CHECK (true)`
      : sql`  WITH CHECK (\n    ${forCaller(resource, check, bundle)}\n  )`
  ]
  return policy(
    table,
    `twinrule_${table}_${role.replace('twinrule_', '')}`,
    sql`FOR UPDATE TO ${id(role)}\n${join(clauses, '\n')}`
  )
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

function writerGrant(table: string, { role, columns }: Writer): SqlObject {
  const target = sql`public.${id(table)}`
  const revoke = sql`REVOKE ALL ON ${target} FROM ${id(role)};`
  const written = join(columns.map(id), ', ')
  return {
    kind: 'grant',
    name: `${table} ${role}`,
    table,
    derived: true,
    up: sql`${revoke}
GRANT SELECT ("id", ${written}), UPDATE (${written}) ON ${target} TO ${id(role)};`,
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
      `twinrule_${table}_writers`,
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
