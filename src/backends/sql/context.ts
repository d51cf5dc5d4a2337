import type { Bundle } from '../../ir/model.js'
import { flaggedRole, PRINCIPAL_SOURCES } from '../../ir/principal.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { accessorOf, ROLES, SCHEMA } from './names.js'
import { appRoles } from './roles.js'

/** Characters of a uuid as PostgreSQL prints it. Tested before the cast, so that a malformed setting is no error. */
export const UUID_PATTERN = sql`'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'`

/** The role flags a policy declares, and the one that the helper functions need in any case. */
export function flags(bundle: Bundle): readonly string[] {
  const declared = bundle.principal
    .filter(({ name, type }) => type.kind === 'bool' && flaggedRole(name) !== null)
    .map(({ name }) => name)
  return [...new Set(['is_platform_admin', ...declared])].sort()
}

/**
 * The tenant context of a transaction.
 *
 * The settings themselves can be set by whoever runs SQL, so nothing but `current_membership` reads them, and it
 * takes them only as far as the tenancy tables agree: a later version can sign them without touching a policy.
 */
export function contextFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const callers = appRoles(bundle)
  return [
    membership(),
    currentMembership(),
    ...accessors(bundle).map(({ name, returns, value }) => accessor(name, returns, value, callers)),
    setContext(callers),
    clearContext(callers)
  ]
}

const MEMBERSHIP = sql`TABLE (user_id uuid, tenant_id uuid, tenant_type text, tenant_status text, tenant_role text, roles text[], global_roles text[])`

/** The one definition of a valid principal: an active member of an active tenant. */
function membership(): FunctionSpec {
  return {
    name: 'membership',
    parameters: [
      { name: 'of_user', type: sql`uuid` },
      { name: 'in_tenant', type: sql`uuid` }
    ],
    returns: MEMBERSHIP,
    volatility: 'STABLE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers: [],
    body: sql`#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT m.user_id, m.tenant_id, t.type, t.status, m.role,
    ARRAY(
      SELECT DISTINCT r.role COLLATE "C" FROM public.user_roles AS r
      WHERE r.user_id = m.user_id AND (r.tenant_id IS NULL OR r.tenant_id = m.tenant_id) ORDER BY 1
    ),
    ARRAY(SELECT r.role FROM public.user_roles AS r WHERE r.user_id = m.user_id AND r.tenant_id IS NULL)
  FROM public.user_tenants AS m JOIN public.tenants AS t ON t.id = m.tenant_id
  WHERE m.user_id = of_user AND m.tenant_id = in_tenant
    AND m.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL;
END`
  }
}

function currentMembership(): FunctionSpec {
  return {
    name: 'current_membership',
    parameters: [],
    returns: MEMBERSHIP,
    volatility: 'STABLE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers: [],
    body: sql`DECLARE
  claimed_user constant text := current_setting('twinrule.user_id', true);
  claimed_tenant constant text := current_setting('twinrule.tenant_id', true);
BEGIN
  -- a setting is null before its first use and empty after the transaction: both mean that there is no principal
  IF claimed_user ~ ${UUID_PATTERN} AND claimed_tenant ~ ${UUID_PATTERN} THEN
    RETURN QUERY SELECT * FROM ${id(SCHEMA)}.membership(claimed_user::uuid, claimed_tenant::uuid);
  END IF;
END`
  }
}

interface Accessor {
  readonly name: string
  readonly returns: Fragment
  readonly value: Fragment
}

const MEMBERSHIP_COLUMNS: Readonly<Record<string, { column: string; returns: Fragment }>> = {
  id: { column: 'user_id', returns: sql`uuid` },
  tenant_id: { column: 'tenant_id', returns: sql`uuid` },
  tenant_type: { column: 'tenant_type', returns: sql`text` },
  tenant_status: { column: 'tenant_status', returns: sql`text` },
  tenant_role: { column: 'tenant_role', returns: sql`text` },
  roles: { column: 'roles', returns: sql`text[]` }
}

/** Every principal attribute as an expression over a row `m` of `twinrule.membership`. */
export function principalValues(
  bundle: Bundle
): readonly { name: string; returns: Fragment; value: Fragment }[] {
  const columns = Object.keys(PRINCIPAL_SOURCES).flatMap(name => {
    const source = MEMBERSHIP_COLUMNS[name]
    return source === undefined ? [] : [{ name, returns: source.returns, value: sql`m.${id(source.column)}` }]
  })
  const roleFlags = flags(bundle).map(name => ({
    name,
    returns: sql`boolean`,
    value: sql`${lit(flaggedRole(name) ?? '')} = ANY (m.global_roles)`
  }))
  return [...columns, ...roleFlags]
}

function accessors(bundle: Bundle): readonly Accessor[] {
  return principalValues(bundle).map(one => ({ ...one, name: accessorOf(one.name).slice(SCHEMA.length + 1) }))
}

function accessor(
  name: string,
  returns: Fragment,
  value: Fragment,
  callers: readonly string[]
): FunctionSpec {
  const found = sql`(SELECT ${value} FROM ${id(SCHEMA)}.current_membership() AS m)`
  const isFlag = String(returns) === 'boolean'
  return {
    name,
    parameters: [],
    returns,
    volatility: 'STABLE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  RETURN ${isFlag ? sql`COALESCE(${found}, false)` : found};
END`
  }
}

function setContext(callers: readonly string[]): FunctionSpec {
  return {
    name: 'set_tenant_context',
    parameters: [
      { name: 'user_id', type: sql`uuid` },
      { name: 'tenant_id', type: sql`uuid` }
    ],
    returns: sql`boolean`,
    volatility: 'VOLATILE',
    security: 'INVOKER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  -- safety: transaction-local, so the next user of a pooled connection starts without a tenant
  PERFORM set_config('twinrule.user_id', COALESCE(user_id::text, ''), true);
  PERFORM set_config('twinrule.tenant_id', COALESCE(tenant_id::text, ''), true);
  -- whether the user is an active member of the active tenant; if not, every query sees nothing
  RETURN ${id(SCHEMA)}.get_current_user_id() IS NOT NULL;
END`
  }
}

function clearContext(callers: readonly string[]): FunctionSpec {
  return {
    name: 'clear_tenant_context',
    parameters: [],
    returns: sql`void`,
    volatility: 'VOLATILE',
    security: 'INVOKER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  PERFORM set_config('twinrule.user_id', '', true);
  PERFORM set_config('twinrule.tenant_id', '', true);
END`
  }
}

/** A list of roles for GRANT and REVOKE. */
export function roleList(roles: readonly string[]): Fragment {
  return join(roles.map(id), ', ')
}
