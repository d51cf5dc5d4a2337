import type { ClientBase } from 'pg'
import { type Fragment, id, lit, sql } from '../backends/sql/fragment.js'
import type { ForeignPolicy } from './foreign.js'
import type { AccessStep } from './runner.js'

/** What a table had before twinrule came. */
export interface FoundTable {
  readonly table: string
  readonly enabled: boolean
  readonly forced: boolean
  /** What everybody had been granted, as statements. */
  readonly grants: readonly string[]
}

/** Tables as they are, as long as twinrule has nothing on them. */
const FOUND = `
SELECT c.relname::text AS "table", c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, ARRAY(
    SELECT format('GRANT %s ON public.%I TO PUBLIC', g.privilege_type, c.relname) || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM aclexplode(c.relacl) AS g WHERE g.grantee = 0
    UNION ALL
    SELECT format('GRANT %s (%I) ON public.%I TO PUBLIC', g.privilege_type, a.attname, c.relname)
    FROM pg_attribute AS a, aclexplode(a.attacl) AS g WHERE a.attrelid = c.oid AND g.grantee = 0 AND NOT a.attisdropped
    ORDER BY 1
  ) AS grants
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY ($1)
  AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND left(p.polname, 9) = 'twinrule_')`

/** What some tables have before twinrule comes; those on which it already is are left out. */
export async function foundTables(
  client: ClientBase,
  tables: readonly string[]
): Promise<readonly FoundTable[]> {
  return (await client.query<FoundTable>(`${FOUND} ORDER BY 1`, [tables])).rows
}

/**
 * Writes down what the tables have, the first time that twinrule comes to them, and says who loses by it: rights of
 * others stay, but no policy is for them.
 */
export async function rememberTables(
  client: ClientBase,
  tables: readonly string[],
  managed: readonly string[],
  log: (line: string) => void
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `INSERT INTO twinrule.managed_tables (table_name, found)
     SELECT f."table", to_jsonb(f) FROM (${FOUND}) AS f ON CONFLICT (table_name) DO NOTHING RETURNING table_name AS name`,
    [tables]
  )
  const come = rows.map(({ name }) => name)
  for (const { role, tables: on } of await outsiders(client, come, managed)) {
    const loss = role === null ? 'PUBLIC loses its rights' : `${role} keeps its rights`
    log(`warning: ${loss} on ${on.join(', ')}${role === null ? '' : ' and sees no row there any more'}`)
  }
}

/** Writes a foreign policy down with its definition, and drops it. The table is locked by the caller. */
export async function adoptPolicy(client: ClientBase, policy: ForeignPolicy): Promise<void> {
  // safety: written down first, so that no rule that people made is lost
  await client.query(
    `INSERT INTO twinrule.adopted_policies (table_name, policy_name, definition) VALUES ($1, $2, $3)
     ON CONFLICT (table_name, policy_name) DO UPDATE SET definition = excluded.definition, adopted_at = now()`,
    [policy.table, policy.name, createPolicy(policy)]
  )
  await client.query(dropPolicy(policy))
}

/** The statement that drops a policy. */
export function dropPolicy({ table, name }: ForeignPolicy): string {
  return String(sql`DROP POLICY ${id(name)} ON public.${id(table)};`)
}

/** The statements that make a policy again as it was. */
export function createPolicy(policy: ForeignPolicy): string {
  const { table, name, permissive, command, roles, using, check, comment } = policy
  const target = sql`${id(name)} ON public.${id(table)}`
  const clauses = [
    // the catalog's own spelling of names and expressions is SQL, and is no fragment of ours
    `CREATE POLICY ${target} AS ${permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${command} TO ${roles}`,
    ...(using === null ? [] : [`  USING (${using})`]),
    ...(check === null ? [] : [`  WITH CHECK (${check})`])
  ]
  const remark: Fragment = comment === null ? sql`` : sql`\nCOMMENT ON POLICY ${target} IS ${lit(comment)};`
  return `${clauses.join('\n')};${remark}`
}

/** The statements that give a table back what it had. */
export function restoreTable({ table, enabled, forced, grants }: FoundTable): string {
  const target = sql`public.${id(table)}`
  return [
    `ALTER TABLE ${target} ${enabled ? 'ENABLE' : 'DISABLE'} ROW LEVEL SECURITY;`,
    `ALTER TABLE ${target} ${forced ? 'FORCE' : 'NO FORCE'} ROW LEVEL SECURITY;`,
    ...grants.map(grant => `${grant};`)
  ].join('\n')
}

/** What was there before twinrule came. */
export interface Found {
  readonly tables: readonly FoundTable[]
  readonly policies: readonly { readonly table: string; readonly name: string; readonly definition: string }[]
}

/** Reads what was written down about tables and policies that were there before. */
export async function readFound(client: ClientBase): Promise<Found> {
  const { rows: tables } = await client.query<{ found: FoundTable }>(
    'SELECT found FROM twinrule.managed_tables WHERE found IS NOT NULL ORDER BY table_name'
  )
  const { rows: policies } = await client.query<Found['policies'][number]>(
    `SELECT table_name AS "table", policy_name AS name, definition FROM twinrule.adopted_policies ORDER BY 1, 2`
  )
  return { tables: tables.map(({ found }) => found), policies }
}

/** The last steps of the way down: policies first, so that no table is without the ones it had. */
export function restoreSteps({ tables, policies }: Found): readonly AccessStep[] {
  return [
    ...policies.map(({ table, name, definition }) => ({
      label: `the adopted policy ${name} on ${table}`,
      sql: definition
    })),
    ...tables.map(found => ({
      label: `row-level security of ${found.table} as it was`,
      sql: restoreTable(found)
    }))
  ]
}

interface Outsider {
  /** Null for PUBLIC. */
  readonly role: string | null
  readonly tables: readonly string[]
}

/** Who has rights on tables and will not see any row of them, owners too: row-level security is forced. */
async function outsiders(
  client: ClientBase,
  tables: readonly string[],
  managed: readonly string[]
): Promise<readonly Outsider[]> {
  const { rows } = await client.query<Outsider>(
    `SELECT r.rolname::text AS role, array_agg(DISTINCT c.relname::text ORDER BY c.relname::text) AS tables
     FROM pg_class AS c CROSS JOIN LATERAL (
       SELECT grantee FROM aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner)))
       UNION SELECT g.grantee FROM pg_attribute AS a, aclexplode(a.attacl) AS g WHERE a.attrelid = c.oid
     ) AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
       AND (g.grantee = 0 OR NOT (r.rolsuper OR r.rolbypassrls OR r.rolname = ANY ($2)))
     GROUP BY 1 ORDER BY 1`,
    [tables, managed]
  )
  return rows
}
