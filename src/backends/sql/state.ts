import type { Bundle } from '../../ir/model.js'
import { dollar, type Fragment, id, join, lit, sql } from './fragment.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'

const STATE = sql`${id(SCHEMA)}.state`
const VERIFIED = sql`${id(SCHEMA)}.verified`

/** The table in which a database says what it holds. */
export function stateTable(): SqlObject {
  return {
    kind: 'state',
    name: 'state table',
    table: null,
    up: sql`CREATE TABLE IF NOT EXISTS ${STATE} (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  revision text NOT NULL,
  sql_sha256 text NOT NULL,
  migrated_at timestamp with time zone NOT NULL DEFAULT now(),
  -- filled by twinrule migrate: what the catalog looked like after it
  catalog jsonb
);
ALTER TABLE ${STATE} ADD COLUMN IF NOT EXISTS catalog jsonb, DROP COLUMN IF EXISTS catalog_md5;
REVOKE ALL ON ${STATE} FROM PUBLIC;
GRANT SELECT ON ${STATE} TO ${id(ROLES.facts)};`,
    down: sql`DROP TABLE IF EXISTS ${STATE};`
  }
}

/**
 * The table in which a migration says that it has looked for drift, and in what it found none.
 *
 * safety: the service believes it, so nobody but superusers may write it. The service reads the table itself: a function
 * in between would have an owner.
 */
export function verifiedTable(): SqlObject {
  return {
    kind: 'state',
    name: 'verified table',
    table: null,
    up: sql`CREATE TABLE IF NOT EXISTS ${VERIFIED} (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  revision text NOT NULL,
  version text NOT NULL,
  server integer NOT NULL,
  catalog_sha256 text NOT NULL,
  record_sha256 text NOT NULL,
  verified_at timestamp with time zone NOT NULL DEFAULT now()
);
REVOKE ALL ON ${VERIFIED} FROM PUBLIC;
GRANT SELECT ON ${VERIFIED} TO ${id(ROLES.service)};`,
    down: sql`DROP TABLE IF EXISTS ${VERIFIED};`
  }
}

/** The revision and the hash of everything else that is generated for it. */
export function stateRow(bundle: Bundle, hash: string): SqlObject {
  return {
    kind: 'state',
    name: 'state',
    table: null,
    applies: 'always',
    up: sql`INSERT INTO ${STATE} (revision, sql_sha256) VALUES (${lit(bundle.revision)}, ${lit(hash)})
ON CONFLICT (only_row) DO UPDATE
SET revision = excluded.revision, sql_sha256 = excluded.sql_sha256, migrated_at = now(), catalog = NULL;`,
    down: sql``
  }
}

/** Takes every right to call from everyone but the owners; each function then names its callers anew. */
export function callersObject(): SqlObject {
  return {
    kind: 'grant',
    name: 'callers of earlier revisions',
    table: null,
    applies: 'whole',
    up: callersSql(sql`p.pronamespace = ${lit(SCHEMA)}::regnamespace`),
    down: sql``
  }
}

/** The same for some functions, which are applied again after it. */
export function forgetCallers(functions: readonly { readonly name: string }[]): Fragment {
  const names = join(
    functions.map(({ name }) => sql`to_regprocedure(${lit(name)})`),
    ', '
  )
  return callersSql(sql`p.oid = ANY (ARRAY[${names}])`)
}

function callersSql(which: Fragment): Fragment {
  const body = sql`DECLARE
  old record;
BEGIN
  FOR old IN
    SELECT DISTINCT p.oid::regprocedure AS function, acl.grantee::regrole AS role
    FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(p.proacl) AS acl
    WHERE ${which} AND acl.grantee NOT IN (0, p.proowner)
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', old.function, old.role);
  END LOOP;
END`
  return sql`DO ${dollar(body)};`
}
