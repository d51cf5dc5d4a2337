import type { Bundle } from '../../ir/model.js'
import { flaggedRole, PRINCIPAL_SOURCES } from '../../ir/principal.js'
import { type Fragment, id, lit, qualified, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { accessorOf, CLAIMS, type FunctionName, helperOf, ROLES, SCHEMA, SETTINGS } from './names.js'
import { readingRoles, writerRoles } from './roles.js'
import { raiseContext } from './seal.js'

/** Where the hyphens of a uuid are. */
const UUID_PLACES = sql`'________-____-____-____-____________'`
const UUID_GROUPS = sql`'^[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+$'`

/**
 * Whether a text is a uuid with hyphens. Tested before a cast, so that a malformed one is no error. The places are tested
 * apart, because expressions that count (`{8}`) are slow.
 */
export function looksLikeUuid(text: Fragment): Fragment {
  return sql`(${text} LIKE ${UUID_PLACES} AND ${text} ~ ${UUID_GROUPS})`
}

/** The value of a setting; null before its first use in a session, empty after the transaction that set it. */
export const setting = (name: string): Fragment => sql`current_setting(${lit(name)}, true)`

/** The role flags a policy declares, and the one that the helper functions need in any case. */
export function flags(bundle: Bundle): readonly string[] {
  const declared = bundle.principal
    .filter(({ name, type }) => type.kind === 'bool' && flaggedRole(name) !== null)
    .map(({ name }) => name)
  return [...new Set(['is_platform_admin', ...declared])].sort()
}

const MEMBERSHIP = sql`TABLE (user_id uuid, tenant_id uuid, tenant_type text, tenant_status text, tenant_role text, roles text[], global_roles text[])`

/**
 * The one definition of a valid principal: an active member of an active tenant. It stands in each function that asks,
 * which then reads no more of it than it needs; a call would cost as much again.
 */
export function membershipOf(user: Fragment, tenant: Fragment): Fragment {
  return sql`SELECT m.user_id, m.tenant_id, t.type AS tenant_type, t.status AS tenant_status, m.role AS tenant_role,
    ARRAY(
      SELECT DISTINCT r.role COLLATE "C" FROM public.user_roles AS r
      WHERE r.user_id = m.user_id AND (r.tenant_id IS NULL OR r.tenant_id = m.tenant_id) ORDER BY 1
    ) AS roles,
    ARRAY(SELECT r.role FROM public.user_roles AS r WHERE r.user_id = m.user_id AND r.tenant_id IS NULL) AS global_roles
  FROM public.user_tenants AS m JOIN public.tenants AS t ON t.id = m.tenant_id
  WHERE m.user_id = ${user} AND m.tenant_id = ${tenant}
    AND m.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL`
}

/** {@link membershipOf} for the functions of other owners. */
export function membership(): FunctionSpec {
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
  ${membershipOf(sql`of_user`, sql`in_tenant`)};
END`
  }
}

const MEMBERSHIP_COLUMNS: Readonly<Record<string, { column: string; returns: Fragment }>> = {
  id: { column: 'user_id', returns: sql`uuid` },
  tenant_id: { column: 'tenant_id', returns: sql`uuid` },
  tenant_type: { column: 'tenant_type', returns: sql`text` },
  tenant_status: { column: 'tenant_status', returns: sql`text` },
  tenant_role: { column: 'tenant_role', returns: sql`text` },
  roles: { column: 'roles', returns: sql`text[]` }
}

/** A principal attribute as an expression over a row `m` of `twinrule.membership`. */
export interface PrincipalValue {
  readonly name: string
  readonly returns: Fragment
  readonly value: Fragment
}

/** Every principal attribute. */
export function principalValues(bundle: Bundle): readonly PrincipalValue[] {
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

/** The row `m` of the current principal, looked up anew; none without a valid context. */
const CURRENT = sql`(
  ${membershipOf(sql`${setting(SETTINGS.user)}::uuid`, sql`${setting(SETTINGS.tenant)}::uuid`)}
) AS m`

/**
 * For each attribute a helper, which people ask, and an accessor, which policies ask; and of user and tenant the bare
 * claim. A policy asks the helper of the user first and only then accessors, so the membership is looked up anew in
 * each statement; the accessors of user and tenant need not do it again.
 */
export function principalFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const callers = readingRoles(bundle)
  const askers = [...callers, ...writerRoles(bundle)]
  return [
    ...principalValues(bundle).flatMap(one => [helper(one, askers), accessor(one, askers)]),
    ...Object.values(CLAIMS).map(one => claim(one.claim, one.setting, callers))
  ]
}

function reader(
  name: FunctionName,
  returns: Fragment,
  callers: readonly string[],
  body: Fragment
): FunctionSpec {
  return {
    name: name.slice(SCHEMA.length + 1),
    parameters: [],
    returns,
    volatility: 'STABLE',
    parallel: 'RESTRICTED',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body
  }
}

const VERIFIED = sql`${qualified('twinrule.verified_context')}()`

function helper({ name, returns, value }: PrincipalValue, callers: readonly string[]): FunctionSpec {
  const found = sql`(SELECT ${value} FROM ${CURRENT})`
  const isFlag = flaggedRole(name) !== null
  const body = sql`BEGIN
  IF NOT ${VERIFIED} THEN
    RETURN ${isFlag ? sql`false` : sql`NULL`};
  END IF;
  RETURN ${isFlag ? sql`COALESCE(${found}, false)` : found};
END`
  return reader(helperOf(name), returns, callers, body)
}

function accessor({ name, returns, value }: PrincipalValue, callers: readonly string[]): FunctionSpec {
  const claimed = CLAIMS[name]
  // safety: never null for want of a context, because to a forbid rule null may mean that it does not hold
  const gone = raiseContext(
    'the context ended or changed in the middle of a statement',
    'call twinrule.set_tenant_context() in a statement of its own, before the query'
  )
  const body =
    claimed === undefined
      ? sql`DECLARE
  answer ${returns};
BEGIN
  IF ${VERIFIED} THEN
    SELECT ${value} INTO answer FROM ${CURRENT};
    IF FOUND THEN
      RETURN answer;
    END IF;
  END IF;
  ${gone}
END`
      : sql`BEGIN
  IF ${VERIFIED} THEN
    RETURN ${setting(claimed.setting)}::uuid;
  END IF;
  ${gone}
END`
  return reader(accessorOf(name), returns, callers, body)
}

/** What a setting claims. It only ever narrows what the verified part of a policy lets through, and finds its index. */
function claim(name: FunctionName, of: string, callers: readonly string[]): FunctionSpec {
  return {
    name: name.slice(SCHEMA.length + 1),
    parameters: [],
    returns: sql`uuid`,
    volatility: 'STABLE',
    language: 'sql',
    security: 'INVOKER',
    owner: ROLES.context,
    callers,
    body: sql`NULLIF(${setting(of)}, '')::uuid`
  }
}
