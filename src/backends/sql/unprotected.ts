import type { Bundle } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { plainRelations } from './related.js'
import { readingRoles } from './roles.js'
import { TENANCY_POLICIES } from './tenancy.js'

/**
 * Whether a relation `c` of the schema `n` is open to the role `a`: reachable without forced row-level security. A view
 * that asks with the rights of whoever reads it opens nothing. What an extension brings is the extension's business.
 */
export const OPEN_RELATION = sql`c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
  AND NOT (c.relkind IN ('r', 'p') AND c.relrowsecurity AND c.relforcerowsecurity)
  AND NOT (c.relkind = 'v' AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions) AS o
    WHERE o.option_name = 'security_invoker' AND o.option_value::boolean))
  AND has_schema_privilege(a.oid, n.oid, 'USAGE')
  AND (has_table_privilege(a.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(a.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

const GUARD = 'twinrule_guard_new_tables'
const FUNCTION = 'guard_new_tables'
/** The setting by which a transaction says that it opens a table on purpose. */
const ALLOWED = 'twinrule.allow_unprotected'

/** What applications reach without row-level security, as a list and as a guard over each new table and grant. */
export function unprotectedFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const plain = plainRelations(bundle).map(({ table }) => table)
  const known = [
    ...bundle.resources.flatMap(({ table }) => table ?? []),
    ...TENANCY_POLICIES.map(({ table }) => table)
  ]
  const base = { parameters: [], owner: ROLES.context, callers: [], security: 'INVOKER' } as const
  return [
    {
      ...base,
      name: 'unprotected',
      returns: sql`TABLE (relation text, roles text[])`,
      volatility: 'STABLE',
      body: sql`BEGIN
  RETURN QUERY SELECT format('%I.%I', n.nspname, c.relname), array_agg(a.rolname::text ORDER BY a.rolname)
  ${openRelations(bundle, plain)}
  GROUP BY n.nspname, c.relname ORDER BY 1;
END`
    },
    {
      ...base,
      name: FUNCTION,
      returns: sql`event_trigger`,
      volatility: 'VOLATILE',
      body: guardBody(bundle, [...plain, ...known])
    }
  ]
}

function openRelations(bundle: Bundle, except: readonly string[]): Fragment {
  const names = [...new Set(except)].sort()
  const others =
    names.length === 0
      ? sql``
      : sql`\n    AND NOT (n.nspname = 'public' AND c.relname IN (${join(names.map(lit), ', ')}))`
  return sql`FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_roles AS a ON a.rolname IN (${join(readingRoles(bundle).map(lit), ', ')})
  WHERE ${OPEN_RELATION}${others}`
}

/**
 * GRANT does not say what it was about, so the guard looks for what this transaction has changed in the catalog. Tables
 * of the policy are not its business: they are checked by the migration, by drift and by the service.
 */
function guardBody(bundle: Bundle, except: readonly string[]): Fragment {
  return sql`DECLARE
  opened text;
BEGIN
  IF current_setting(${lit(ALLOWED)}, true) = 'on' THEN
    RETURN;
  END IF;
  SELECT format('%I.%I is open to %I', n.nspname, c.relname, a.rolname) INTO opened
  ${openRelations(bundle, except)}
    AND (age(c.xmin) <= 0 OR EXISTS (SELECT FROM pg_attribute AS t WHERE t.attrelid = c.oid AND age(t.xmin) <= 0))
  ORDER BY 1 LIMIT 1;
  IF opened IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = opened || ' without row-level security',
      HINT = ${lit(`make it a resource of the policy, or ENABLE and FORCE ROW LEVEL SECURITY before the GRANT; if everybody may have it, SET LOCAL ${ALLOWED} = 'on'`)};
  END IF;
END`
}

/** A migration opens what the policy says: tables that relations lead to, which an older guard does not know. */
export function guardPause(): SqlObject {
  return {
    kind: 'state',
    name: 'new tables allowed',
    table: null,
    applies: 'always',
    up: sql`SET LOCAL ${id('twinrule')}.${id('allow_unprotected')} = 'on';`,
    down: sql``
  }
}

/** The event trigger itself, which only a superuser can make. */
export function guardObject(): SqlObject {
  const drop = sql`DROP EVENT TRIGGER IF EXISTS ${id(GUARD)};`
  return {
    kind: 'trigger',
    name: GUARD,
    table: null,
    up: sql`${drop}
CREATE EVENT TRIGGER ${id(GUARD)} ON ddl_command_end EXECUTE FUNCTION ${id(SCHEMA)}.${id(FUNCTION)}();`,
    down: drop
  }
}
