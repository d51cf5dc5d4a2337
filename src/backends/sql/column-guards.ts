import type { Resource } from '../../ir/model.js'
import { normalize } from '../../ir/normal-form.js'
import { expression } from './expression.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { OLD_ROW } from './terms.js'

/** The columns whose change is judged, sorted. */
function guardedColumns({ immutable, columnRules }: Resource): readonly string[] {
  return [...new Set([...immutable, ...columnRules.flatMap(({ columns }) => columns)])].sort()
}

/** The name of the trigger that guards the columns of a table, and of its function. */
export function guardName(table: string): string {
  return `twinrule_${table}_columns`
}

/**
 * The trigger function of the immutable columns and column rules of a table. A policy cannot say this: USING sees the
 * old row, WITH CHECK the new one, and neither sees both.
 *
 * It raises 42501, as a policy does, and leaves alone whoever is outside of row-level security: a restore, a migration.
 *
 * @see PostgreSQL manual, 43.10 Trigger Functions, and row_security_active in 9.27.3
 */
export function guardFunctions(resource: Resource): readonly FunctionSpec[] {
  const { table, name, immutable, columnRules } = resource
  if (table === null || guardedColumns(resource).length === 0) return []
  const fixed = immutable.map(
    column => sql`  IF ${changed([column])} THEN
    ${refuse(`${name}.${column} never changes`)}
  END IF;`
  )
  const ruled = columnRules.map(
    // safety: unknown is not permitted
    ({ columns, when }) => sql`  IF (${changed(columns)}) AND (
    ${expression(normalize(when), 4, OLD_ROW)}
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
      body: sql`BEGIN
  IF NOT row_security_active(TG_RELID) THEN
    RETURN NULL;
  END IF;
${join([...fixed, ...ruled], '\n')}
  RETURN NULL;
END`
    }
  ]
}

/** The trigger itself. It runs after all others, so that what BEFORE triggers changed is judged too. */
export function guardObjects(resource: Resource): readonly SqlObject[] {
  const { table } = resource
  const columns = guardedColumns(resource)
  if (table === null || columns.length === 0) return []
  const name = guardName(table)
  const target = sql`public.${id(table)}`
  return [
    {
      kind: 'trigger',
      name,
      table,
      up: sql`CREATE OR REPLACE TRIGGER ${id(name)} AFTER UPDATE ON ${target}
  FOR EACH ROW WHEN (${changed(columns)})
  EXECUTE FUNCTION ${id(SCHEMA)}.${id(name)}();`,
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
