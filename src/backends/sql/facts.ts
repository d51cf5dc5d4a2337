import type { Relation } from '../../ir/formula.js'
import type { Bundle, Column, Resource } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { looksLikeUuid, principalValues } from './membership.js'
import { boundedName, ROLES } from './names.js'
import type { SqlObject } from './object.js'

/** The name of the policy by which the facts functions read a table. */
export function factsPolicy(table: string): string {
  return boundedName('twinrule_', table, '_facts')
}

/** Lets the owner of the facts functions read the declared columns of a table, of every row, and nothing else. */
export function factsObjects(resource: Resource): readonly SqlObject[] {
  if (resource.table === null) return []
  const target = sql`public.${id(resource.table)}`
  const policy = id(factsPolicy(resource.table))
  const [facts, service] = [id(ROLES.facts), id(ROLES.service)]
  const columns = resource.columns.map(({ name }) => id(name))
  const revoke = sql`REVOKE ALL ON ${target} FROM ${facts}, ${service};`
  const drop = sql`DROP POLICY IF EXISTS ${policy} ON ${target};`
  const grant = sql`GRANT SELECT (${join(columns, ', ')}) ON ${target} TO ${facts};`
  return [
    {
      kind: 'policy',
      name: factsPolicy(resource.table),
      table: resource.table,
      derived: true,
      up: sql`${drop}
CREATE POLICY ${policy} ON ${target} AS PERMISSIVE FOR SELECT TO ${facts} USING (true);`,
      down: drop
    },
    {
      kind: 'grant',
      name: `${resource.table} ${ROLES.facts}`,
      table: resource.table,
      derived: true,
      up: columns.length > 0 ? join([revoke, grant], '\n') : revoke,
      down: revoke
    }
  ]
}

/** The functions that read what a decision needs. The service may call the last three and nothing else. */
export function factsFunctions(bundle: Bundle): readonly FunctionSpec[] {
  return [
    principalFacts(bundle),
    resourceFacts(bundle),
    decisionFacts(),
    installedRevision(),
    recordedCatalog()
  ]
}

function definer(
  name: string,
  parameters: readonly string[],
  returns: Fragment,
  callers: readonly string[],
  body: Fragment
): FunctionSpec {
  const type = name === 'decision_facts' ? sql`text[]` : sql`text`
  return {
    name,
    parameters: parameters.map(parameter => ({ name: parameter, type })),
    returns,
    volatility: 'STABLE',
    security: 'DEFINER',
    owner: ROLES.facts,
    callers,
    body
  }
}

/**
 * The principal as both locks see it. Without a tenant it acts in its only or default one. A tenant that does not
 * exist, is not active or has no such member answers alike.
 */
function principalFacts(bundle: Bundle): FunctionSpec {
  const pairs = principalValues(bundle).map(({ name, value }) => sql`${lit(name)}, ${value}`)
  const body = sql`DECLARE
  known_user uuid;
  chosen uuid;
  candidates integer;
  answer jsonb;
BEGIN
  IF ${looksLikeUuid(sql`subject`)} THEN
    known_user := subject::uuid;
  END IF;
  IF tenant IS NULL THEN
    SELECT count(*), COALESCE(
      (array_agg(m.tenant_id) FILTER (WHERE m.is_default))[1],
      CASE count(*) WHEN 1 THEN (array_agg(m.tenant_id))[1] END
    ) INTO candidates, chosen
    FROM public.user_tenants AS m JOIN public.tenants AS t ON t.id = m.tenant_id
    WHERE m.user_id = known_user AND m.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL;
  ELSIF ${looksLikeUuid(sql`tenant`)} THEN
    chosen := tenant::uuid;
  END IF;
  SELECT jsonb_build_object(${join(pairs, ', ')}) INTO answer
  FROM twinrule.membership(known_user, chosen) AS m;
  RETURN CASE
    WHEN answer IS NOT NULL THEN jsonb_build_object('status', 'member', 'principal', answer)
    WHEN NOT EXISTS (SELECT FROM public.user_tenants AS m WHERE m.user_id = known_user)
      AND NOT EXISTS (SELECT FROM public.user_roles AS r WHERE r.user_id = known_user)
      THEN jsonb_build_object('status', 'unknown_subject')
    WHEN tenant IS NOT NULL THEN jsonb_build_object('status', 'not_a_member')
    WHEN candidates = 0 THEN jsonb_build_object('status', 'no_tenant')
    ELSE jsonb_build_object('status', 'several_tenants')
  END;
END`
  const spec = definer('principal_facts', ['subject', 'tenant'], sql`jsonb`, [ROLES.facts], body)
  return { ...spec, owner: ROLES.context }
}

/** The declared columns of one row, null when there is none. */
function resourceFacts(bundle: Bundle): FunctionSpec {
  const branches = bundle.resources.flatMap(rowBranch)
  const body = sql`DECLARE
  answer jsonb;
BEGIN
${join(branches, '\n')}
  RETURN answer;
END`
  return definer('resource_facts', ['resource_type', 'resource_id'], sql`jsonb`, [], body)
}

function rowBranch(resource: Resource): readonly Fragment[] {
  const key = resource.columns.find(({ name }) => name === 'id')
  if (resource.table === null || key === undefined) return []
  const match = keyMatch(key)
  if (match === null) return []
  const columns = resource.columns.map(
    column => sql`t.${id(column.name)}${asText(column)} AS ${id(column.name)}`
  )
  const related = resource.relations.flatMap(relation => relatedFacts(relation))
  return [
    sql`  IF $1 = ${lit(resource.name)} AND ${match.guard} THEN
    SELECT to_jsonb(row_facts.*) INTO answer FROM (
      SELECT ${join([...columns, ...related], ', ')}
      FROM public.${id(resource.table)} AS t WHERE t."id" = ${match.value}
    ) AS row_facts;
  END IF;`
  ]
}

/** The related rows as one list. */
function relatedFacts(relation: Relation): readonly Fragment[] {
  if (relation.table === null) return []
  const columns = relation.columns.map(
    column => sql`x.${id(column.name)}${asText(column)} AS ${id(column.name)}`
  )
  return [
    sql`(
        SELECT COALESCE(jsonb_agg(to_jsonb(related_facts)), '[]')
        FROM (
          SELECT ${join(columns, ', ')}
          FROM public.${id(relation.table)} AS x WHERE x.${id(relation.remote)} = t.${id(relation.local)}
        ) AS related_facts
      ) AS ${id(relation.name)}`
  ]
}

// in parentheses: plpgsql takes the first THEN outside of them for that of its IF
const INT_GUARD = sql`(CASE WHEN $2 ~ '^(0|-?[1-9][0-9]{0,18})$'
    THEN $2::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 ELSE false END)`

/** How the text of an id becomes the value of the key column, and when it can be one at all. */
function keyMatch({ type }: Column): { guard: Fragment; value: Fragment } | null {
  switch (type.kind) {
    case 'uuid':
      return { guard: looksLikeUuid(sql`$2`), value: sql`$2::uuid` }
    case 'int':
      return { guard: INT_GUARD, value: sql`$2::bigint` }
    case 'text':
    case 'enum':
      return { guard: sql`$2 IS NOT NULL`, value: sql`$2` }
    case 'bool':
    case 'date':
    case 'timestamptz':
    case 'set':
      return null
  }
}

/** int travels as text: a JSON number loses digits beyond 2^53 on the way to JavaScript. */
function asText({ type }: Column): Fragment {
  if (type.kind === 'int') return sql`::text`
  return type.kind === 'set' && type.of.kind === 'int' ? sql`::text[]` : sql``
}

/**
 * Everything that a batch of decisions needs, in one statement and so in one snapshot, in the order asked; and the
 * revision of the policies that it belongs to.
 */
function decisionFacts(): FunctionSpec {
  const parameters = ['subjects', 'tenants', 'resource_types', 'resource_ids']
  const body = sql`BEGIN
  RETURN jsonb_build_object(
    'revision', (SELECT s.revision FROM twinrule.state AS s),
    'principals', (
      SELECT COALESCE(jsonb_agg(twinrule.principal_facts(u.subject, u.tenant) ORDER BY u.place), '[]')
      FROM unnest(subjects, tenants) WITH ORDINALITY AS u (subject, tenant, place)
    ),
    'rows', (
      SELECT COALESCE(jsonb_agg(twinrule.resource_facts(u.type, u.id) ORDER BY u.place), '[]')
      FROM unnest(resource_types, resource_ids) WITH ORDINALITY AS u (type, id, place)
    )
  );
END`
  return definer('decision_facts', parameters, sql`jsonb`, [ROLES.service], body)
}

function installedRevision(): FunctionSpec {
  const body = sql`BEGIN
  RETURN (SELECT s.revision FROM twinrule.state AS s);
END`
  // a list is of the policy that its statement was made from, so whoever reads one may ask which policy there is
  return definer('installed_revision', [], sql`text`, [ROLES.service, ROLES.lister], body)
}

/** What the catalog looked like after the last migration, for those who look whether it still does. */
function recordedCatalog(): FunctionSpec {
  const body = sql`BEGIN
  RETURN (SELECT s.catalog FROM twinrule.state AS s);
END`
  return definer('recorded_catalog', [], sql`jsonb`, [ROLES.service], body)
}
