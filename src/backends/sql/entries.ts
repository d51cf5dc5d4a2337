import type { Bundle } from '../../ir/model.js'
import { flaggedRole } from '../../ir/principal.js'
import { dollar, type Fragment, id, join, lit, qualified, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { setting } from './membership.js'
import { accessorOf, entranceOf, helperOf, ROLES, SCHEMA, SETTINGS } from './names.js'
import type { SqlObject } from './object.js'
import { appRoles, writerRoles } from './roles.js'
import { KEYS, macOf, sealed } from './seal.js'

const ENTRIES = qualified('twinrule.role_entries')

/** The record of who entered the role of a role flag, when, and why. Nobody of twinrule's roles can read or change it. */
export function entryObjects(): readonly SqlObject[] {
  return [
    {
      kind: 'state',
      name: 'role entries',
      table: null,
      up: sql`CREATE TABLE IF NOT EXISTS ${ENTRIES} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  entered_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  role text NOT NULL,
  user_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  reason text,
  login text NOT NULL DEFAULT session_user,
  application_name text DEFAULT current_setting('application_name', true),
  client_address inet DEFAULT inet_client_addr(),
  backend_pid integer NOT NULL DEFAULT pg_backend_pid()
);
REVOKE ALL ON ${ENTRIES} FROM PUBLIC;
GRANT INSERT (role, user_id, tenant_id, reason) ON ${ENTRIES} TO ${id(ROLES.context)};`,
      down: sql`DO ${dollar(sql`BEGIN
  -- what was done stays on record; an empty record is none
  IF to_regclass('twinrule.role_entries') IS NOT NULL AND NOT EXISTS (SELECT FROM ${ENTRIES}) THEN
    DROP TABLE ${ENTRIES};
  ELSIF to_regclass('twinrule.role_entries') IS NOT NULL THEN
    REVOKE ALL ON ${ENTRIES} FROM ${id(ROLES.context)};
  END IF;
END`)};`
    }
  ]
}

interface FlagRole {
  readonly flag: string
  readonly role: string
}

function flagRolesOf(bundle: Bundle): readonly FlagRole[] {
  return bundle.principal.flatMap(({ name, role }) => (role === undefined ? [] : [{ flag: name, role }]))
}

/** What enters the role of a role flag, and what its policies ask. */
export function entryFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const roles = flagRolesOf(bundle)
  if (roles.length === 0) return []
  const callers = appRoles(bundle)
  const signed = bundle.context === 'signed'
  return [
    ...roles.map(one => entrance(one, signed, [...callers, ...writerRoles(bundle)])),
    admit(roles, signed, callers),
    enter(callers)
  ]
}

const SEAL = setting(SETTINGS.entered)

function entrySeal(role: Fragment): Fragment {
  return macOf(sealed(sql`'entered'`, setting(SETTINGS.user), setting(SETTINGS.tenant), role))
}

/** Whether the principal has the flag and entered its role through `enter_role`: SET ROLE alone shows nothing. */
function entrance({ flag, role }: FlagRole, signed: boolean, callers: readonly string[]): FunctionSpec {
  const holds = sql`${qualified(accessorOf(flag))}()`
  const admitted = sql`COALESCE(${SEAL} = (
    SELECT ${entrySeal(lit(role))} FROM ${KEYS} AS k WHERE k.purpose = 'seal'
  ), false)`
  return {
    name: entranceOf(flag).slice(SCHEMA.length + 1),
    parameters: [],
    returns: sql`boolean`,
    volatility: 'STABLE',
    parallel: 'RESTRICTED',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  RETURN ${holds}${signed ? sql` AND ${admitted}` : sql``};
END`
  }
}

/** The part of `enter_role` that needs rights: it looks at the flag, writes the record and seals the entry. */
function admit(roles: readonly FlagRole[], signed: boolean, callers: readonly string[]): FunctionSpec {
  const holds = roles.map(({ flag, role }) => sql`WHEN ${lit(role)} THEN ${qualified(helperOf(flag))}()`)
  const flagged = roles.map(({ flag, role }) => `${role}: ${flaggedRole(flag)}`).join(', ')
  return {
    name: 'admit_to_role',
    parameters: [
      { name: 'role_name', type: sql`text` },
      { name: 'reason', type: sql`text` }
    ],
    returns: sql`void`,
    volatility: 'VOLATILE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  IF NOT COALESCE(CASE $1 ${join(holds, '\n')} END, false) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('the user of this transaction may not enter the role %s', $1),
      HINT = ${lit(`a user with the role that stands behind it may, after twinrule.set_tenant_context(): ${flagged}`)};
  END IF;
  INSERT INTO ${ENTRIES} (role, user_id, tenant_id, reason)
  VALUES ($1, ${setting(SETTINGS.user)}::uuid, ${setting(SETTINGS.tenant)}::uuid, $2);
  -- the record of a transaction that is rolled back is gone: the server's log keeps this line
  RAISE LOG 'twinrule: user % of tenant % enters role %', ${setting(SETTINGS.user)}, ${setting(SETTINGS.tenant)}, $1;
${
  signed
    ? sql`  PERFORM set_config(${lit(SETTINGS.entered)}, ${entrySeal(sql`$1`)}, true)
  FROM ${KEYS} AS k WHERE k.purpose = 'seal';
`
    : sql``
}END`
  }
}

function enter(callers: readonly string[]): FunctionSpec {
  return {
    name: 'enter_role',
    parameters: [
      { name: 'role_name', type: sql`text` },
      { name: 'reason', type: sql`text`, fallback: sql`NULL` }
    ],
    returns: sql`void`,
    volatility: 'VOLATILE',
    // safety: with the caller's rights, so that PostgreSQL asks whether the login may enter that role
    security: 'INVOKER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  PERFORM ${id(SCHEMA)}.admit_to_role($1, $2);
  PERFORM set_config('role', $1, true);
END`
  }
}
