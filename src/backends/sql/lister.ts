import type { Resource } from '../../ir/model.js'
import { id, join, sql } from './fragment.js'
import { grantObject } from './grants.js'
import { boundedName, ROLES } from './names.js'
import type { SqlObject } from './object.js'
import { gateSql, type RoleView } from './policies.js'

/** The role in which lists are read. A role flag says nothing in it. */
export const LISTER: RoleView = { role: ROLES.lister, flag: null }

/** The role in which the list of a role is read. */
export function listedAs(view: RoleView): RoleView {
  return view.flag === null ? LISTER : view
}

/**
 * What the role for lists may read of a table: what applications may, by a policy without the half that finds an index.
 * Each arm of a list finds its own index. Beside the same condition with OR the planner expects a fraction of the rows
 * that there are, and sorts all of them where it could walk the index.
 */
export function listerObjects(resource: Resource): readonly SqlObject[] {
  const { table } = resource
  if (table === null) return []
  const guard = gateSql(resource, 'read', LISTER, 4)
  const grant = grantObject({
    table,
    role: LISTER.role,
    commands: guard === null ? [] : ['SELECT'],
    unchangeable: []
  })
  if (guard === null) return [{ ...grant, derived: true }]
  const named = boundedName('twinrule_', table, '_list')
  const [name, target] = [id(named), sql`public.${id(table)}`]
  const drop = sql`DROP POLICY IF EXISTS ${name} ON ${target};`
  const create = sql`CREATE POLICY ${name} ON ${target}
  AS PERMISSIVE FOR SELECT TO ${id(LISTER.role)}
  USING (\n    ${guard}\n  );`
  const policy = {
    kind: 'policy',
    name: named,
    table,
    derived: true,
    up: join([drop, create], '\n'),
    down: drop
  } as const
  return [policy, { ...grant, derived: true }]
}
