import type { Bundle } from '../../ir/model.js'
import { comment, type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { ROLES } from './names.js'
import type { SqlObject } from './object.js'
import { appRoles, managedRoles } from './roles.js'

/** The id of the platform tenant, seeded by the first migration. */
export const PLATFORM_TENANT = '00000000-0000-0000-0000-000000000001'

/** What the owner of the helper functions may do with each tenancy table. Nobody else may do anything. */
const TENANCY_TABLES = {
  tenants: sql`SELECT`,
  user_tenants: sql`SELECT, INSERT, UPDATE`,
  user_roles: sql`SELECT, INSERT, DELETE`
} as const

/** The policies of the tenancy tables, by table and name. */
export const TENANCY_POLICIES: readonly { table: string; name: string }[] = Object.keys(TENANCY_TABLES).map(
  table => ({ table, name: `twinrule_${table}_context` })
)

/** Closes the tenancy tables: row-level security with one policy, for the role that owns the helper functions. */
export function tenancyObjects(bundle: Bundle): readonly SqlObject[] {
  return Object.entries(TENANCY_TABLES).flatMap(([table, privileges]): readonly SqlObject[] => {
    const target = sql`public.${id(table)}`
    const policy = id(`twinrule_${table}_context`)
    const context = id(ROLES.context)
    const revoke = sql`REVOKE ALL ON ${target} FROM PUBLIC, ${join(managedRoles(bundle).map(id), ', ')};`
    const drop = sql`DROP POLICY IF EXISTS ${policy} ON ${target};`
    return [
      {
        kind: 'rls',
        name: table,
        table: null,
        up: sql`ALTER TABLE ${target} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${target} FORCE ROW LEVEL SECURITY;
${drop}
CREATE POLICY ${policy} ON ${target} AS PERMISSIVE FOR ALL TO ${context} USING (true) WITH CHECK (true);`,
        down: sql`${drop}
ALTER TABLE ${target} NO FORCE ROW LEVEL SECURITY;
ALTER TABLE ${target} DISABLE ROW LEVEL SECURITY;`
      },
      {
        kind: 'grant',
        name: table,
        table: null,
        // safety: whole tenant rows, billing data included, are nobody's to read; the helper functions give out parts
        up: sql`${revoke}
GRANT ${privileges} ON ${target} TO ${context};`,
        down: revoke
      }
    ]
  })
}

/** The helper functions that hand-made systems have, under the names they have there. */
export function tenancyFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const apps = appRoles(bundle)
  const adminRole = bundle.principal.find(({ name }) => name === 'is_platform_admin')?.role
  const admins = adminRole === undefined ? [] : [adminRole]
  return [
    ...lookups(apps),
    ...(['domain', 'slug'] as const).map(by => tenantBy(by, apps)),
    adminRights('grant', admins),
    adminRights('revoke', admins),
    assignUser(apps)
  ]
}

const uuidParameter = (name: string) => ({ name, type: sql`uuid` })

function reader(
  name: string,
  parameters: FunctionSpec['parameters'],
  returns: Fragment,
  callers: readonly string[],
  body: Fragment
): FunctionSpec {
  return {
    name,
    parameters,
    returns,
    volatility: 'STABLE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body
  }
}

const HAS_ACCESS = sql`BEGIN
  -- a tenant that does not exist and one that the user has nothing to do with answer alike
  RETURN EXISTS (SELECT FROM twinrule.membership(twinrule.get_current_user_id(), $1))
    OR (twinrule.is_platform_admin() AND EXISTS (
      SELECT FROM public.tenants AS t WHERE t.id = $1 AND t.deleted_at IS NULL
    ));
END`

const OWN_TENANTS = sql`BEGIN
  RETURN QUERY
  SELECT m.tenant_id FROM public.user_tenants AS m JOIN public.tenants AS t ON t.id = m.tenant_id
  WHERE m.user_id = twinrule.get_current_user_id()
    AND m.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL
  ORDER BY m.tenant_id;
END`

const PLATFORM = sql`BEGIN
  RETURN ${lit(PLATFORM_TENANT)}::uuid;
END`

function lookups(callers: readonly string[]): readonly FunctionSpec[] {
  return [
    reader('has_tenant_access', [uuidParameter('tenant_id')], sql`boolean`, callers, HAS_ACCESS),
    reader('get_user_tenant_ids', [], sql`SETOF uuid`, callers, OWN_TENANTS),
    reader('get_super_admin_tenant_id', [], sql`uuid`, callers, PLATFORM)
  ]
}

/**
 * A tenant is looked up before there is a context, so anyone may turn a domain or slug (public by nature) into the
 * id of an active tenant; its name and type are for its members and the platform admin.
 */
function tenantBy(by: 'domain' | 'slug', callers: readonly string[]): FunctionSpec {
  return reader(
    `get_tenant_by_${by}`,
    [{ name: `of_${by}`, type: sql`text` }],
    sql`TABLE (id uuid, name text, slug text, type text)`,
    callers,
    sql`#variable_conflict use_column
DECLARE
  hit public.tenants%ROWTYPE;
BEGIN
  SELECT * INTO hit FROM public.tenants AS t
  WHERE lower(t.${id(by)}) = lower($1) AND t.status = 'active' AND t.deleted_at IS NULL;
  IF hit.id IS NULL THEN
    RETURN;
  ELSIF twinrule.has_tenant_access(hit.id) THEN
    RETURN QUERY SELECT hit.id, hit.name, hit.slug, hit.type;
  ELSE
    RETURN QUERY SELECT hit.id, NULL::text, NULL::text, NULL::text;
  END IF;
END`
  )
}

/** Only a platform admin makes or unmakes one. The first one is inserted by the owner of the database. */
function adminRights(verb: 'grant' | 'revoke', callers: readonly string[]): FunctionSpec {
  const change =
    verb === 'grant'
      ? sql`INSERT INTO public.user_roles (user_id, role, tenant_id, granted_by)
  VALUES ($1, 'platform_admin', NULL, twinrule.get_current_user_id()) ON CONFLICT DO NOTHING;`
      : sql`DELETE FROM public.user_roles AS r WHERE r.user_id = $1 AND r.role = 'platform_admin' AND r.tenant_id IS NULL;`
  return {
    ...reader(`${verb}_platform_admin`, [uuidParameter('to_user')], sql`boolean`, callers, sql``),
    volatility: 'VOLATILE',
    body: sql`DECLARE
  changed integer;
BEGIN
  ${comment('safety: the right to call is not enough, the transaction must belong to a platform admin')}
  IF NOT twinrule.is_platform_admin() THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only a platform admin may do this',
      HINT = 'call twinrule.set_tenant_context() with a platform admin in the same transaction';
  END IF;
  ${change}
  GET DIAGNOSTICS changed = ROW_COUNT;
  RETURN changed > 0;
END`
  }
}

/**
 * Makes a user an active member of a tenant. A tenant's owner and admins decide about members, only its owner (and
 * the platform admin) about owners.
 */
function assignUser(callers: readonly string[]): FunctionSpec {
  return {
    ...reader(
      'assign_user_to_tenant',
      [
        uuidParameter('to_user'),
        uuidParameter('in_tenant'),
        { name: 'as_role', type: sql`text`, fallback: sql`'member'` }
      ],
      sql`void`,
      callers,
      sql``
    ),
    volatility: 'VOLATILE',
    body: sql`DECLARE
  is_admin constant boolean := twinrule.is_platform_admin();
  own_role constant text := CASE WHEN twinrule.get_current_tenant_id() = $2 THEN twinrule.principal_tenant_role() END;
  held text;
BEGIN
  IF NOT is_admin AND COALESCE(own_role, '') NOT IN ('owner', 'admin') THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = 'only an owner or admin of the tenant of this transaction, or a platform admin, may assign users to it';
  END IF;
  SELECT m.role INTO held FROM public.user_tenants AS m WHERE m.user_id = $1 AND m.tenant_id = $2 FOR UPDATE;
  -- safety: an admin could otherwise make himself an owner, or take the owner's place away
  IF NOT is_admin AND own_role <> 'owner' AND ('owner' IN ($3, held)) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only an owner of the tenant may decide about its owners';
  END IF;
  -- a second membership must not make the choice of tenant ambiguous for a user who had one
  UPDATE public.user_tenants AS m SET is_default = true, updated_at = now()
  WHERE m.user_id = $1 AND m.status = 'active' AND m.tenant_id <> $2
    AND 1 = (SELECT count(*) FROM public.user_tenants AS o WHERE o.user_id = $1 AND o.status = 'active')
    AND NOT EXISTS (SELECT FROM public.user_tenants AS o WHERE o.user_id = $1 AND o.is_default);
  INSERT INTO public.user_tenants AS m (user_id, tenant_id, role, status) VALUES ($1, $2, $3, 'active')
  ON CONFLICT (user_id, tenant_id) DO UPDATE SET role = excluded.role, status = 'active', updated_at = now()
  WHERE (m.role, m.status) IS DISTINCT FROM (excluded.role, 'active');
END`
  }
}
