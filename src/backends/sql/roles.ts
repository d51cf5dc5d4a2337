import type { Bundle } from '../../ir/model.js'
import { dollar, type Fragment, id, join, lit, sql } from './fragment.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'
import { roleViews } from './policies.js'

/** The roles of the policy's role flags, which the app role may enter. */
export function flagRoles(bundle: Bundle): readonly string[] {
  return roleViews(bundle).flatMap(({ role, flag }) => (flag === null ? [] : [role]))
}

/** The roles in which applications run SQL: the app role and those that it may enter. */
export function appRoles(bundle: Bundle): readonly string[] {
  return [ROLES.app, ...flagRoles(bundle)]
}

/** The roles that the app role may enter: those of role flags, and the one for lists. */
export function enteredRoles(bundle: Bundle): readonly string[] {
  return [ROLES.lister, ...flagRoles(bundle)]
}

/** The roles in which a statement of an application can be: those that applications run SQL in, and the one for lists. */
export function readingRoles(bundle: Bundle): readonly string[] {
  return [...appRoles(bundle), ROLES.lister]
}

/** Every role that twinrule manages for a policy. */
export function managedRoles(bundle: Bundle): readonly string[] {
  return [ROLES.app, ROLES.service, ...ownerRoles(bundle), ...enteredRoles(bundle)]
}

/** The roles that own functions which write for applications, as far as the policy needs them. */
export function writerRoles(bundle: Bundle): readonly string[] {
  const tables = bundle.resources.filter(({ table }) => table !== null)
  const through = tables.some(({ columnRules }) => columnRules.some(rule => rule.through !== null))
  return [
    ...(tables.some(({ softDelete, deleteThrough }) => softDelete !== null || deleteThrough === 'remove')
      ? [ROLES.remover]
      : []),
    ...(through ? [ROLES.sharer] : [])
  ]
}

/**
 * In a function that runs as its owner: the role that its caller is in. `current_user` is the owner there; the setting
 * `role` still says which role was entered, and without one the login says it.
 */
export const CALLER_ROLE = sql`COALESCE(NULLIF(current_setting('role'), 'none'), session_user::text)`

function ownerRoles(bundle: Bundle): readonly string[] {
  return [ROLES.context, ROLES.facts, ...writerRoles(bundle)]
}

/** The roles with their attributes and memberships, and what they may do with the two schemas. */
export function roleObjects(bundle: Bundle): readonly SqlObject[] {
  const logins: readonly string[] = [ROLES.app, ROLES.service]
  return [
    ...managedRoles(bundle).map(role => roleObject(role, logins.includes(role))),
    ...enteredRoles(bundle).map(membershipObject),
    schemaObject(bundle)
  ]
}

/**
 * Roles belong to the whole cluster, and two of its databases may be migrated at once: without the lock one of them
 * would fail with "tuple concurrently updated", or both wait for each other. Logins only read the table, so nobody else
 * waits.
 */
export const LOCK_ROLES = sql`LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;`

function roleObject(role: string, login: boolean): SqlObject {
  const attributes = sql`${login ? sql`LOGIN` : sql`NOLOGIN`} NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`
  // safety: a role of this name that is more than twinrule made it may be somebody's; never take it over silently
  const taken = sql`rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication OR rolcanlogin <> ${lit(login)}`
  const up = sql`DO ${dollar(sql`BEGIN
  ${LOCK_ROLES}
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${lit(role)}) THEN
    CREATE ROLE ${id(role)} ${attributes};
  ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${lit(role)} AND (${taken})) THEN
    RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
      MESSAGE = 'the role ' || ${lit(JSON.stringify(role))} || ' exists with attributes that it must not have here',
      HINT = ${lit(`run ALTER ROLE ${id(role)} ${attributes}; or drop the role if it is not in use`)};
  ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${lit(role)} AND (rolinherit OR rolcreatedb)) THEN
    ALTER ROLE ${id(role)} NOINHERIT NOCREATEDB;
  END IF;
END`)};`
  return { kind: 'role', name: role, table: null, up, down: dropRole(role) }
}

/** Other databases of the cluster, and grants that people made themselves, keep a role alive. */
function dropRole(role: string): Fragment {
  return sql`DO ${dollar(sql`BEGIN
  ${LOCK_ROLES}
  DROP ROLE IF EXISTS ${id(role)};
EXCEPTION WHEN dependent_objects_still_exist OR object_in_use THEN
  RAISE NOTICE 'the role % stays: something outside of twinrule in this database depends on it', ${lit(role)};
END`)};`
}

/** Takes from a role that leaves the policy what is left to it here. The role itself is the cluster's and stays. */
export function leaveRole(role: string): Fragment {
  return sql`DO ${dollar(sql`BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${lit(role)}) THEN
    REVOKE ALL ON SCHEMA ${id(SCHEMA)}, public FROM ${id(role)};
  END IF;
END`)};`
}

function membershipObject(role: string): SqlObject {
  const grant = sql`GRANT ${id(role)} TO ${id(ROLES.app)}`
  const up = sql`DO ${dollar(sql`BEGIN
  ${LOCK_ROLES}
  -- safety: with INHERIT the app role would have the rights of the entered role in every statement
  IF current_setting('server_version_num')::integer >= 160000 THEN
    EXECUTE ${lit(`${grant} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE`)};
  ELSIF NOT pg_catalog.pg_has_role(${lit(ROLES.app)}, ${lit(role)}, 'MEMBER') THEN
    ${grant};
  END IF;
END`)};`
  return {
    kind: 'role',
    name: `${ROLES.app} in ${role}`,
    table: null,
    up,
    // the membership ends with the role: another database of the cluster may still need both
    down: sql``
  }
}

function schemaObject(bundle: Bundle): SqlObject {
  const owners = ownerRoles(bundle).map(id)
  const apps = readingRoles(bundle).map(id)
  const everyone = join([...apps, id(ROLES.service), ...owners], ', ')
  return {
    kind: 'schema',
    name: SCHEMA,
    table: null,
    up: sql`CREATE SCHEMA IF NOT EXISTS ${id(SCHEMA)};
ALTER SCHEMA ${id(SCHEMA)} OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA ${id(SCHEMA)} FROM PUBLIC, ${everyone};
GRANT USAGE ON SCHEMA ${id(SCHEMA)} TO ${everyone};
-- safety: whoever may create objects in public could put a function in the way of a careless query
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM ${everyone};
GRANT USAGE ON SCHEMA public TO ${join([...apps, ...owners], ', ')};`,
    down: sql`REVOKE ALL ON SCHEMA ${id(SCHEMA)}, public FROM ${everyone};`
  }
}
