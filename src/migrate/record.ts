import type { ClientBase } from 'pg'
import type { SqlObject } from '../backends/sql/object.js'
import { InternalError } from '../errors/errors.js'
import type { PlanObject } from './plan-object.js'

interface ObjectRow {
  readonly kind: SqlObject['kind']
  readonly name: string
  readonly table_name: string | null
  readonly applies: SqlObject['applies'] | null
  readonly up_sql: string
  readonly down_sql: string
}

/** The generated objects that the last migration left, in their order; null when none is written down. */
export async function readObjects(client: ClientBase): Promise<readonly PlanObject[] | null> {
  if (!(await isThere(client, 'twinrule.objects'))) return null
  const { rows } = await client.query<ObjectRow>('SELECT * FROM twinrule.objects ORDER BY position')
  if (rows.length === 0) return null
  return rows.map(({ kind, name, table_name, applies, up_sql, down_sql }) => ({
    kind,
    name,
    table: table_name,
    ...(applies === null || applies === undefined ? {} : { applies }),
    up: up_sql,
    down: down_sql
  }))
}

/** Makes the tables in which a migration writes what it does, which is no part of what it applies. */
export async function openRecord(client: ClientBase): Promise<void> {
  await client.query(`CREATE SCHEMA IF NOT EXISTS twinrule;
CREATE TABLE IF NOT EXISTS twinrule.objects (
  position integer PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  table_name text,
  applies text,
  up_sql text NOT NULL,
  down_sql text NOT NULL
);
CREATE TABLE IF NOT EXISTS twinrule.managed_tables (table_name text PRIMARY KEY, columns_md5 text);
ALTER TABLE twinrule.managed_tables ADD COLUMN IF NOT EXISTS found jsonb;
CREATE TABLE IF NOT EXISTS twinrule.adopted_policies (
  table_name text,
  policy_name text,
  definition text NOT NULL,
  adopted_at timestamp with time zone NOT NULL DEFAULT now(),
  PRIMARY KEY (table_name, policy_name)
);
REVOKE ALL ON twinrule.objects, twinrule.managed_tables, twinrule.adopted_policies FROM PUBLIC`)
}

/** Writes down what is there now, for the next migration and for the way down. */
export async function writeObjects(client: ClientBase, objects: readonly PlanObject[]): Promise<void> {
  await client.query('DELETE FROM twinrule.objects')
  await client.query(
    `INSERT INTO twinrule.objects
     SELECT position, o->>'kind', o->>'name', o->>'table', o->>'applies', o->>'up', o->>'down'
     FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS listed (o, position)`,
    [JSON.stringify(objects)]
  )
  await client.query(
    `INSERT INTO twinrule.managed_tables AS known (table_name, columns_md5)
     SELECT name, columns FROM (${COLUMNS}) AS live
     ON CONFLICT (table_name) DO UPDATE SET columns_md5 = excluded.columns_md5`,
    [tablesOf(objects)]
  )
  // safety: applying only what has changed must leave the same as applying everything
  const { rows } = await client.query<{ missing: string }>(MISSING)
  const [first] = rows
  if (first !== undefined) throw new InternalError(`the migration left no ${first.missing}`)
}

/** What is written down and not there: a policy, or row-level security. */
const MISSING = `
SELECT concat_ws(' ', o.kind, o.name) AS missing FROM twinrule.objects AS o
WHERE o.kind = 'policy' AND NOT EXISTS (
    SELECT FROM pg_policy AS p WHERE p.polrelid = to_regclass(format('public.%I', o.table_name)) AND p.polname = o.name)
  OR o.kind = 'rls' AND NOT EXISTS (
    SELECT FROM pg_class AS c WHERE c.oid = to_regclass(format('public.%I', COALESCE(o.table_name, o.name)))
      AND c.relrowsecurity AND c.relforcerowsecurity)
LIMIT 1`

/** Forgets it all: nothing generated is left to write about. */
export async function dropRecord(client: ClientBase): Promise<void> {
  await client.query(
    'DROP TABLE IF EXISTS twinrule.objects, twinrule.managed_tables, twinrule.adopted_policies'
  )
}

/** The tables of schema public that objects are on. */
export function tablesOf(objects: readonly { readonly table: string | null }[]): readonly string[] {
  return [...new Set(objects.flatMap(({ table }) => table ?? []))].sort()
}

/** Those of some tables of schema public that are there. */
export async function existingTables(
  client: ClientBase,
  tables: readonly string[]
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(`SELECT name FROM (${COLUMNS}) AS live ORDER BY 1`, [
    tables
  ])
  return rows.map(({ name }) => name)
}

/** The tables that have other columns than after the last migration: what is granted by column depends on them. */
export async function otherColumns(client: ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM (${COLUMNS}) AS live JOIN twinrule.managed_tables AS known ON known.table_name = live.name
     WHERE known.columns_md5 <> live.columns`,
    [(await client.query<{ name: string }>(KNOWN)).rows.map(({ name }) => name)]
  )
  return rows.map(({ name }) => name)
}

const KNOWN = 'SELECT table_name AS name FROM twinrule.managed_tables'

const COLUMNS = `SELECT c.relname::text AS name, (
    SELECT md5(COALESCE(string_agg(concat_ws(' ', a.attname, a.atthasdef, a.attidentity), ',' ORDER BY a.attnum), ''))
    FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS columns
  FROM pg_class AS c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY ($1)`

async function isThere(client: ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    table
  ])
  return rows[0]?.there === true
}
