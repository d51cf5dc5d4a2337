import type { CommandGate } from '../../ir/gates.js'
import type { Action, Bundle, Resource } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { ROLES } from './names.js'
import { gateSql, type RoleView, roleViews } from './policies.js'
import { appRoles } from './roles.js'

/** What is asked of the stored row. An update that changes nothing must pass both of its gates. */
const ASKED: readonly { action: Exclude<Action, 'create'>; gates: readonly CommandGate[] }[] = [
  { action: 'read', gates: ['read'] },
  { action: 'update', gates: ['update', 'update_new'] },
  { action: 'delete', gates: ['delete'] }
]

/**
 * `twinrule.can_access_resource(type, id, action)`: the rules themselves, not a second copy of them. It runs with the
 * rights of its caller, reads the table under its policies, and says false to every type and action that it does not
 * know.
 */
export function canAccessFunction(bundle: Bundle): FunctionSpec {
  const branches = bundle.resources.flatMap(resource =>
    roleViews(bundle).flatMap(view => roleBranch(resource, view))
  )
  return {
    name: 'can_access_resource',
    parameters: [
      { name: 'resource_type', type: sql`text` },
      { name: 'resource_id', type: sql`uuid` },
      { name: 'action', type: sql`text`, fallback: sql`'read'` }
    ],
    returns: sql`boolean`,
    volatility: 'STABLE',
    security: 'INVOKER',
    owner: ROLES.context,
    callers: appRoles(bundle),
    derived: true,
    // the parameters are read by number: a column may have one of their names
    body: sql`#variable_conflict use_column
BEGIN
${join([...branches, sql`  RETURN false;`], '\n')}
END`
  }
}

function roleBranch(resource: Resource, view: RoleView): readonly Fragment[] {
  const key = resource.columns.find(({ name }) => name === 'id')
  const asked = ASKED.flatMap(({ action, gates }) => {
    const parts = gates.map(gate => gateSql(resource, gate, view, 10))
    const open = parts.filter(part => part !== null)
    return open.length < parts.length ? [] : [actionBranch(action, open)]
  })
  if (resource.table === null || key?.type.kind !== 'uuid' || asked.length === 0) return []
  return [
    sql`  IF $1 = ${lit(resource.name)} AND current_user = ${lit(view.role)} THEN
    RETURN EXISTS (
      SELECT FROM public.${id(resource.table)} WHERE "id" = $2 AND CASE $3
${join(asked, '\n')}
        ELSE false
      END
    );
  END IF;`
  ]
}

function actionBranch(action: string, parts: readonly Fragment[]): Fragment {
  const once = [...new Map(parts.map(part => [String(part), part])).values()]
  const tests = once.map(
    part => sql`(
        ${part}
      )`
  )
  return sql`        WHEN ${lit(action)} THEN ${join(tests, ' AND ')}`
}
