import type { Bundle, Column } from '../../ir/model.js'
import type { Type } from '../../ir/types.js'
import { OWN_TRIGGER } from './column-guards.js'
import { dollar, type Fragment, id, join, lit, sql } from './fragment.js'
import { catalogName, type FunctionSpec } from './function.js'
import { OWNER_ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { plainRelations } from './related.js'
import { managedRoles } from './roles.js'
import { TENANCY_POLICIES } from './tenancy.js'
import { SQL_TYPE } from './terms.js'

/** What must hold before anything is changed: the tables and columns of the policy, and no rules from elsewhere. */
export function catalogChecks(bundle: Bundle): readonly SqlObject[] {
  const tables = bundle.resources.flatMap(({ name, table }) => (table === null ? [] : [{ name, table }]))
  if (tables.length === 0) return []
  const plain = plainRelations(bundle).map(({ resource, relation, table }) => {
    return { name: `${resource}.${relation.name}`, table, columns: relation.columns }
  })
  const columns = [...bundle.resources, ...plain].flatMap(({ name, table, columns }) =>
    table === null ? [] : columns.map(column => columnRow(name, table, column))
  )
  return [
    catalogCheck(
      'tables',
      sql`FOREACH wanted SLICE 1 IN ARRAY ${checkRows([...tables, ...plain].map(({ name, table }) => [name, table]))} LOOP
    IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_class
      WHERE relnamespace = 'public'::regnamespace AND relname = wanted[2] AND relkind IN ('r', 'p')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'undefined_table',
        MESSAGE = format('the resource %s names the table public.%s, which does not exist', wanted[1], wanted[2]),
        HINT = 'create it in a numbered migration, or correct the table of the resource';
    END IF;
  END LOOP;`
    ),
    ...(columns.length > 0 ? [catalogCheck('columns', columnCheck(columns))] : []),
    catalogCheck(
      'foreign policies',
      foreignPolicyCheck([...TENANCY_POLICIES, ...tables].map(({ table }) => table))
    )
  ]
}

function columnRow(owner: string, table: string, { name, type, nullable }: Column): readonly string[] {
  return [owner, table, name, catalogType(type), nullable ? '' : 'NOT NULL']
}

function columnCheck(columns: readonly (readonly string[])[]): Fragment {
  return sql`FOREACH wanted SLICE 1 IN ARRAY ${checkRows(columns)} LOOP
    SELECT pg_catalog.format_type(atttypid, NULL) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END INTO actual
    FROM pg_catalog.pg_attribute
    WHERE attrelid = format('public.%I', wanted[2])::regclass AND attname = wanted[3] AND NOT attisdropped;
    IF actual IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'undefined_column',
        MESSAGE = format('the resource %s declares the column %s, which public.%s does not have', wanted[1], wanted[3], wanted[2]);
    ELSIF replace(actual, ' NOT NULL', '') <> ALL (string_to_array(wanted[4], '|')) OR (wanted[5] <> '' AND right(actual, 9) <> ' NOT NULL') THEN
      RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
        MESSAGE = format('public.%s.%s is %s, but the resource %s declares %s %s',
          wanted[2], wanted[3], actual, wanted[1], replace(wanted[4], '|', ' or '), wanted[5]);
    END IF;
  END LOOP;`
}

/** The catalog's names of the types that a declared type may have. */
export function catalogType(type: Type): string {
  if (type.kind === 'set') return `${catalogType(type.of).split('|')[0]}[]`
  if (type.kind === 'timestamptz') return 'timestamp with time zone'
  if (type.kind === 'int') return 'bigint|integer|smallint'
  return type.kind === 'text' || type.kind === 'enum' ? 'text|character varying' : SQL_TYPE[type.kind]
}

function foreignPolicyCheck(tables: readonly string[]): Fragment {
  // safety: PostgreSQL joins permissive policies with OR, so a foreign one lets rows past every rule; a restrictive one
  // hides rows that the rules allow
  return sql`SELECT string_agg(format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass), ' ' ORDER BY p.polrelid, p.polname)
  INTO actual
  FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (ARRAY[${join(tables.map(lit), ', ')}])
    AND left(p.polname, 9) <> 'twinrule_';
  IF actual IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'tables of the policy have policies that twinrule did not make; permissive ones would let rows past the rules',
      HINT = 'move what they allow into the policy, then run: ' || actual;
  END IF;`
}

/** A look at the catalog before anything is changed. `body` may use the variables `wanted` and `actual`. */
export function catalogCheck(name: string, body: Fragment): SqlObject {
  return {
    kind: 'state',
    name: `check ${name}`,
    table: null,
    applies: 'always',
    up: sql`DO ${dollar(sql`DECLARE
  wanted text[];
  actual text;
BEGIN
  ${body}
END`)};`,
    down: sql``
  }
}

/** Rows of texts to loop over. */
export function checkRows(values: readonly (readonly string[])[]): Fragment {
  const lines = values.map((row, i) => {
    const comma = i < values.length - 1 ? sql`,` : sql``
    return sql`    [${join(row.map(lit), ', ')}]${comma}`
  })
  return sql`ARRAY[\n${join(lines, '\n')}\n  ]`
}

/**
 * Removes what earlier revisions generated and this one does not, and checks what nobody may have changed meanwhile.
 * A table that left the policy stays closed: it keeps row-level security, and twinrule's roles lose it.
 */
export function leftoverObject(
  bundle: Bundle,
  specs: readonly FunctionSpec[],
  objects: readonly SqlObject[]
): SqlObject {
  const policies = [
    ...objects.flatMap(({ kind, name, table }) =>
      kind === 'policy' && table !== null ? [{ table, name }] : []
    ),
    ...TENANCY_POLICIES
  ]
  const tables = [...new Set(policies.map(({ table }) => table))]
  const roles = managedRoles(bundle)
  const body = sql`DECLARE
  old record;
BEGIN
  ${closeTables(tables, roles)}
  ${dropPolicies(policies)}
  ${dropTriggers(objects.flatMap(({ kind, name }) => (kind === 'trigger' ? [name] : [])))}
  ${dropFunctions(specs)}
  ${roleCheck(roles, tables)}
END`
  return {
    kind: 'state',
    name: 'leftovers',
    table: null,
    applies: 'always',
    up: sql`DO ${dollar(body)};`,
    down: sql``
  }
}

const POLICIES = sql`FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
    WHERE c.relnamespace = 'public'::regnamespace AND left(p.polname, 9) = 'twinrule_'`

function closeTables(tables: readonly string[], roles: readonly string[]): Fragment {
  return sql`FOR old IN
    SELECT DISTINCT c.oid::regclass AS relation
    ${POLICIES}
      AND c.relname <> ALL (ARRAY[${join(tables.map(lit), ', ')}])
  LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %s', old.relation, ${lit(String(join(roles.map(id), ', ')))});
    RAISE WARNING 'the table % is not in the policy any more: it keeps row-level security, so it is closed', old.relation;
  END LOOP;`
}

function dropPolicies(wanted: readonly { table: string; name: string }[]): Fragment {
  return sql`FOR old IN
    SELECT p.polname AS policy, c.oid::regclass AS relation
    ${POLICIES}
      AND (c.relname || '.' || p.polname) <> ALL (ARRAY[
${list(wanted.map(({ table, name }) => `${table}.${name}`))}
      ])
  LOOP
    EXECUTE format('DROP POLICY %I ON %s', old.policy, old.relation);
  END LOOP;`
}

function dropTriggers(wanted: readonly string[]): Fragment {
  const names = wanted.length > 0 ? sql`ARRAY[\n${list(wanted)}\n      ]` : sql`ARRAY[]::text[]`
  return sql`FOR old IN
    SELECT t.tgname AS trigger, c.oid::regclass AS relation
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND t.tgname ~ ${lit(OWN_TRIGGER)}
      AND t.tgname <> ALL (${names})
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', old.trigger, old.relation);
  END LOOP;`
}

const owners = join(OWNER_ROLES.map(lit), ', ')

function dropFunctions(wanted: readonly FunctionSpec[]): Fragment {
  return sql`FOR old IN
    SELECT p.oid::regprocedure AS function FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = ${lit(SCHEMA)}::regnamespace
      AND pg_catalog.pg_get_userbyid(p.proowner) IN (${owners})
      AND (p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')') <> ALL (ARRAY[
${list(wanted.map(catalogName))}
      ])
  LOOP
    EXECUTE format('DROP FUNCTION %s', old.function);
  END LOOP;`
}

function list(values: readonly string[]): Fragment {
  return join(
    values.map((value, i) => sql`        ${lit(value)}${i < values.length - 1 ? sql`,` : sql``}`),
    '\n'
  )
}

/** The roles that run other people's statements must have no way around the policies. */
function roleCheck(roles: readonly string[], tables: readonly string[]): Fragment {
  const callers = roles.filter(role => !OWNER_ROLES.includes(role))
  return sql`FOR old IN
    SELECT m.rolname AS member, r.rolname AS role FROM pg_catalog.pg_roles AS m, pg_catalog.pg_roles AS r
    WHERE m.rolname = ANY (ARRAY[${join(callers.map(lit), ', ')}]) AND pg_catalog.pg_has_role(m.oid, r.oid, 'MEMBER') AND (
      r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolname IN (${owners})
      OR EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace
          AND c.relname = ANY (ARRAY[${join(tables.map(lit), ', ')}])
      )
    )
  LOOP
    RAISE EXCEPTION USING ERRCODE = 'invalid_role_specification',
      MESSAGE = format('%I is or belongs to %I, which is not under the policies', old.member, old.role),
      HINT = format('run REVOKE %I FROM %I; or give its tables to another owner', old.role, old.member);
  END LOOP;`
}
