import type { Bundle } from '../../ir/model.js'
import { dollar, type Fragment, id, join, lit, sql } from './fragment.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { LOCK_ROLES, managedRoles } from './roles.js'

/** How long the logins may take, unless the operator said otherwise. The service has shorter ones of its own. */
const TIMEOUTS = [
  [ROLES.app, 'statement_timeout', '30s'],
  [ROLES.app, 'lock_timeout', '5s'],
  [ROLES.app, 'idle_in_transaction_session_timeout', '60s'],
  [ROLES.service, 'statement_timeout', '5s'],
  [ROLES.service, 'lock_timeout', '2s'],
  [ROLES.service, 'idle_in_transaction_session_timeout', '10s']
] as const

/** What the logins may not do for long, and what none of the roles may do with the database at all. */
export function limitObjects(bundle: Bundle): readonly SqlObject[] {
  return [timeoutObject(), databaseObject(managedRoles(bundle))]
}

const THIS_DATABASE = sql`(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`

function timeoutObject(): SqlObject {
  const rows = TIMEOUTS.map(
    ([role, name, value], i) =>
      sql`    [${join([role, name, value].map(lit), ', ')}]${i < TIMEOUTS.length - 1 ? sql`,` : sql``}`
  )
  const each = (body: Fragment): Fragment =>
    sql`DO ${dollar(sql`DECLARE
  wanted text[];
BEGIN
  ${LOCK_ROLES}
  FOREACH wanted SLICE 1 IN ARRAY ARRAY[
${join(rows, '\n')}
  ] LOOP
    ${body}
  END LOOP;
END`)};`
  return {
    kind: 'role',
    name: 'timeouts',
    table: null,
    up: each(sql`-- what the operator has set stays: for the role, the database or the whole server
    IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS one
      WHERE s.setrole IN (0, wanted[1]::regrole) AND starts_with(one, wanted[2] || '=')
        AND s.setdatabase IN (0, ${THIS_DATABASE})
      UNION ALL
      SELECT FROM pg_catalog.pg_settings
      WHERE name = wanted[2] AND setting <> '0' AND source IN ('configuration file', 'command line', 'environment variable')
    ) THEN
      EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %I = %L', wanted[1], current_database(), wanted[2], wanted[3]);
    END IF;`),
    down: each(sql`IF EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting AS s
      WHERE s.setrole = to_regrole(wanted[1]) AND s.setdatabase = ${THIS_DATABASE}
        AND (wanted[2] || '=' || wanted[3]) = ANY (s.setconfig)
    ) THEN
      EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET %I', wanted[1], current_database(), wanted[2]);
    END IF;`)
  }
}

const RIGHTS = sql`${id(SCHEMA)}.temporary_rights`

/**
 * Nobody of ours makes temporary tables or schemas. PostgreSQL grants TEMPORARY to PUBLIC, so it must be taken from
 * everybody; other logins that own or were granted something in this database get it by name, and the way down brings
 * back what was.
 */
function databaseObject(roles: readonly string[]): SqlObject {
  const ours = join(roles.map(lit), ', ')
  const onDatabase = (what: string, ...whom: readonly Fragment[]): Fragment =>
    sql`EXECUTE format(${join([lit(what), sql`current_database()`, ...whom], ', ')});`
  return {
    kind: 'grant',
    name: 'database',
    table: null,
    up: sql`CREATE TABLE IF NOT EXISTS ${RIGHTS} (role_name text);
REVOKE ALL ON ${RIGHTS} FROM PUBLIC;
COMMENT ON TABLE ${RIGHTS} IS 'who was granted TEMPORARY when it was taken from PUBLIC, which is the row without a name';
DO ${dollar(sql`DECLARE
  other text;
BEGIN
  IF EXISTS (
    SELECT FROM pg_catalog.pg_database AS d, pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS acl
    WHERE d.datname = current_database() AND acl.grantee = 0 AND acl.privilege_type = 'TEMPORARY'
  ) THEN
    INSERT INTO ${RIGHTS} SELECT NULL WHERE NOT EXISTS (SELECT FROM ${RIGHTS} WHERE role_name IS NULL);
    ${onDatabase('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC')}
    FOR other IN
      SELECT rolname FROM pg_catalog.pg_roles AS r
      WHERE rolcanlogin AND NOT rolsuper AND rolname <> ALL (ARRAY[${ours}])
        AND EXISTS (
          SELECT FROM pg_catalog.pg_shdepend AS d
          WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = r.oid AND d.dbid = ${THIS_DATABASE}
        )
        AND NOT pg_catalog.has_database_privilege(oid, current_database(), 'TEMPORARY')
    LOOP
      INSERT INTO ${RIGHTS} VALUES (other);
      ${onDatabase('GRANT TEMPORARY ON DATABASE %I TO %I', sql`other`)}
    END LOOP;
  END IF;
  -- safety: whoever creates a schema can put tables and functions in the way of other statements
  ${onDatabase('REVOKE CREATE ON DATABASE %I FROM PUBLIC')}
  ${onDatabase('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM %s', lit(String(join(roles.map(id), ', '))))}
END`)};`,
    down: sql`DO ${dollar(sql`DECLARE
  old text;
BEGIN
  IF to_regclass(${lit(String(RIGHTS))}) IS NULL THEN
    RETURN;
  END IF;
  FOR old IN SELECT role_name FROM ${RIGHTS} LOOP
    IF old IS NULL THEN
      ${onDatabase('GRANT TEMPORARY ON DATABASE %I TO PUBLIC')}
    ELSIF to_regrole(quote_ident(old)) IS NOT NULL THEN
      ${onDatabase('REVOKE TEMPORARY ON DATABASE %I FROM %I', sql`old`)}
    END IF;
  END LOOP;
  DROP TABLE ${RIGHTS};
END`)};`
  }
}
