import { immutableReason } from '../../ir/gates.js'
import type { Bundle, Resource } from '../../ir/model.js'
import { type Nnf, normalize } from '../../ir/normal-form.js'
import { expression } from './expression.js'
import { block, type Fragment, id, join, lit, newline, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { boundedName, ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { dependsOnRole, type RoleView, readableFor, roleViews, seenAs } from './policies.js'
import { CALLER_ROLE, writerRoles } from './roles.js'
import { OLD_ROW, type Row } from './terms.js'

/** The columns whose change is judged, sorted. */
export function guardedColumns({ immutable, columnRules }: Resource): readonly string[] {
  return [...new Set([...immutable, ...columnRules.flatMap(({ columns }) => columns)])].sort()
}

/** The name of the function that guards the columns of a table. */
export function guardName(table: string): string {
  return boundedName('twinrule_', table, '_columns')
}

/**
 * The name of the trigger that runs it.
 * safety: triggers of one event run in the order of their names, and those of foreign keys are named RI_ConstraintTrigger_*.
 * After them, a change that is refused anyway would tell whether the value is there in the other table.
 *
 * @see PostgreSQL manual, 39.1 Overview of Trigger Behavior
 */
function triggerName(table: string): string {
  return boundedName('A_twinrule_', table, '_columns')
}

/** The names of our triggers, as a regular expression of JavaScript and of PostgreSQL: `A_` came later. */
export const OWN_TRIGGER = '^(A_)?twinrule_'

/**
 * The trigger function of the immutable columns and column rules of a table. A policy cannot say this: USING sees the
 * old row, WITH CHECK the new one, and neither sees both.
 *
 * It raises 42501, as a policy does, and leaves alone whoever is outside of row-level security: a restore, a migration.
 *
 * @see PostgreSQL manual, 43.10 Trigger Functions, and row_security_active in 9.27.3
 */
export function guardFunctions(resource: Resource, bundle: Bundle): readonly FunctionSpec[] {
  const { table, name, immutable, columnRules, softDelete } = resource
  if (table === null || guardedColumns(resource).length === 0) return []
  const fixed = immutable.map(
    // current_user is the owner of the function that deletes and keeps the row
    column => sql`  IF ${changed([column])}${column === softDelete ? sql` AND current_user <> ${lit(ROLES.remover)}` : sql``} THEN
    ${refuse(immutableReason(resource, column))}
  END IF;`
  )
  const ruled = columnRules.map(
    // safety: unknown is not permitted
    ({ columns, when }) => sql`  IF (${changed(columns)}) AND (
    ${permitted(normalize(when), roleViews(bundle), writerRoles(bundle))}
  ) IS NOT TRUE THEN
    ${refuse(`a column rule of ${name} keeps ${columns.join(', ')} from being changed`)}
  END IF;`
  )
  return [
    {
      name: guardName(table),
      parameters: [],
      returns: sql`trigger`,
      volatility: 'VOLATILE',
      security: 'INVOKER',
      owner: ROLES.context,
      callers: [],
      derived: false,
      // safety: asked of the table by its name, because TG_RELID is the partition that holds the row
      body: sql`BEGIN
  IF NOT row_security_active(${lit(`public.${table}`)}::regclass) THEN
    RETURN NULL;
  END IF;
${join([...fixed, ...ruled], '\n')}
  RETURN NULL;
END`
    }
  ]
}

/**
 * When a column rule permits a change.
 * safety: the subqueries see what the role at hand may read of other tables. Where that differs between roles, each has
 * a form of its own, as in policies: else "no row is such" would hold for whoever does not see the row.
 */
function permitted(form: Nnf, views: readonly RoleView[], writers: readonly string[]): Fragment {
  if (!dependsOnRole(form, views)) return expression(form, 4, OLD_ROW)
  const byRole = views.map(view => {
    const row: Row = { ...OLD_ROW, readable: readableFor(view), entered: view.flag }
    const own = expression(seenAs(view, form), 8, row)
    return sql`(${actsIn(view, writers)} AND (${newline(8)}${own}${newline(6)}))`
  })
  return block(byRole, 'OR', 4)
}

/** Whether somebody who updates is in a role; in a function that writes for applications, whether its caller is. */
function actsIn({ role }: RoleView, writers: readonly string[]): Fragment {
  const own = sql`current_user = ${lit(role)}`
  if (writers.length === 0) return own
  const owners = join(writers.map(lit), ', ')
  return sql`(${own} OR current_user IN (${owners}) AND ${CALLER_ROLE} = ${lit(role)})`
}

/** The trigger itself. It runs after the event, so that what BEFORE triggers changed is judged too. */
export function guardObjects(resource: Resource): readonly SqlObject[] {
  const { table } = resource
  const columns = guardedColumns(resource)
  if (table === null || columns.length === 0) return []
  const name = triggerName(table)
  const target = sql`public.${id(table)}`
  return [
    {
      kind: 'trigger',
      name,
      table,
      up: sql`CREATE OR REPLACE TRIGGER ${id(name)} AFTER UPDATE ON ${target}
  FOR EACH ROW WHEN (${changed(columns)})
  EXECUTE FUNCTION ${id(SCHEMA)}.${id(guardName(table))}();`,
      down: sql`DROP TRIGGER IF EXISTS ${id(name)} ON ${target};`
    }
  ]
}

function changed(columns: readonly string[]): Fragment {
  return join(
    columns.map(column => sql`OLD.${id(column)} IS DISTINCT FROM NEW.${id(column)}`),
    ' OR '
  )
}

function refuse(message: string): Fragment {
  return sql`RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = ${lit(message)};`
}
