import type { ClientBase } from 'pg'
import { type Fragment, id, join, sql } from '../backends/sql/fragment.js'
import { TestError } from '../errors/errors.js'
import type { JsonValue } from '../ir/json.js'
import type { Bundle } from '../ir/model.js'
import type { Fixtures, JsonRow, PlainRow, Principal, Row, Tenant } from './fixtures.js'
import { targetOf } from './rows.js'

/**
 * Puts what a test file sets up into the database, in place of rows with the same keys. It is the caller's to roll back.
 *
 * @throws TestError TWR_TEST_FIXTURE when a row cannot be stored
 */
export async function loadFixtures(client: ClientBase, bundle: Bundle, fixtures: Fixtures): Promise<void> {
  let during = 'the tenants'
  try {
    await deferForeignKeys(client, [...byTable(fixtures.rows).keys()])
    await withoutTriggers(client, async () => {
      await loadTenants(client, fixtures.tenants)
      during = 'the principals'
      await loadPrincipals(client, fixtures.principals)
      for (const [table, rows] of byTable(fixtures.rows)) {
        during = `the rows of ${table}`
        await clearRelated(client, bundle, rows)
        await remove(
          client,
          table,
          'id',
          rows.map(row => row.columns['id'])
        )
        await insert(
          client,
          table,
          rows.map(({ columns }) => columns)
        )
      }
      for (const [table, rows] of byTable(fixtures.plain)) {
        during = `the rows of ${table}`
        await insert(
          client,
          table,
          rows.map(({ columns }) => columns)
        )
      }
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const hint =
      'the database has constraints that the policy does not know: give the rows values that keep them'
    throw new TestError('TWR_TEST_FIXTURE', `${during} cannot be stored: ${why}`, { cause, hint })
  }
}

/**
 * Puts off the foreign keys of some tables to a commit that never comes. They are no part of the policies, and would be
 * checked on rows of a test whenever one is updated.
 */
async function deferForeignKeys(client: ClientBase, tables: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ table: string; name: string }>(
    `SELECT c.relname AS table, k.conname AS name
     FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
     WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::text[])`,
    [tables]
  )
  for (const { table, name } of rows) {
    const target = sql`public.${id(table)}`
    await client.query(
      String(sql`ALTER TABLE ${target} ALTER CONSTRAINT ${id(name)} DEFERRABLE INITIALLY DEFERRED`)
    )
  }
}

/** Runs some work without foreign keys and triggers: rows of a test need not be complete, and delete no others. */
export async function withoutTriggers(client: ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query('SET LOCAL session_replication_role = replica')
  await work()
  await client.query('SET LOCAL session_replication_role = origin')
}

async function loadTenants(client: ClientBase, tenants: readonly Tenant[]): Promise<void> {
  for (const { id: tenant, name, type, status } of tenants) {
    await client.query(
      `INSERT INTO public.tenants (id, name, slug, type, status) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO UPDATE SET type = $4, status = $5, deleted_at = NULL`,
      [tenant, name, `twinrule-test-${tenant}`, type, status]
    )
  }
}

async function loadPrincipals(client: ClientBase, principals: readonly Principal[]): Promise<void> {
  const users = principals.map(one => one.id)
  for (const table of ['user_tenants', 'user_roles']) {
    await client.query(`DELETE FROM public.${table} WHERE user_id = ANY ($1::uuid[])`, [users])
  }
  const everywhere = new Set<string>()
  for (const { id: user, tenant, role, roles, globalRoles } of principals) {
    await client.query(
      `INSERT INTO public.user_tenants (user_id, tenant_id, role, status) VALUES ($1, $2, $3, 'active')`,
      [user, tenant.id, role]
    )
    const grant = (name: string, of: string | null) =>
      client.query('INSERT INTO public.user_roles (user_id, role, tenant_id) VALUES ($1, $2, $3)', [
        user,
        name,
        of
      ])
    for (const name of roles) await grant(name, tenant.id)
    // a user of several tenants holds them once
    for (const name of everywhere.has(user) ? [] : globalRoles) await grant(name, null)
    everywhere.add(user)
  }
}

/** Rows that are there already and would be related to those of the test. */
async function clearRelated(client: ClientBase, bundle: Bundle, rows: readonly Row[]): Promise<void> {
  for (const relation of rows[0]?.resource.relations ?? []) {
    const { table, local, remote } = relation
    // a row that is found by its id is the test's own, or none
    if (table === null || (targetOf(bundle, relation) !== undefined && remote === 'id')) continue
    await remove(
      client,
      table,
      remote,
      rows.map(row => row.columns[local])
    )
  }
}

async function remove(
  client: ClientBase,
  table: string,
  column: string,
  keys: readonly unknown[]
): Promise<void> {
  const known = keys.filter(key => key !== null && key !== undefined).map(String)
  const target = sql`public.${id(table)}`
  await client.query(`DELETE FROM ${target} WHERE ${id(column)}::text = ANY ($1::text[])`, [known])
}

/** Inserts rows with their columns; what the table demands beside them gets any value. */
async function insert(client: ClientBase, table: string, rows: readonly JsonRow[]): Promise<void> {
  const [first] = rows
  if (first === undefined) return
  const columns = Object.keys(first)
  const demanded = await demandedColumns(client, table, columns)
  const all = rows.map(row => ({ ...demanded, ...row }))
  await client.query(insertSql(table, [...columns, ...Object.keys(demanded)]), [JSON.stringify(all)])
}

/** An INSERT of some columns of rows that are given as a JSON list. */
export function insertSql(table: string, columns: readonly string[]): string {
  const names = join(columns.map(id), ', ')
  const target = sql`public.${id(table)}`
  return String(sql`INSERT INTO ${target} (${names}) SELECT ${names} FROM ${populated(target)}`)
}

function populated(target: Fragment): Fragment {
  return sql`jsonb_populate_recordset(NULL::${target}, $1::jsonb) AS given`
}

/** Columns that the policy does not declare, that may not be null and have no default, each with some value. */
export async function demandedColumns(
  client: ClientBase,
  table: string,
  declared: readonly string[]
): Promise<JsonRow> {
  const { rows } = await client.query<{ name: string; category: string; type: string }>(
    `SELECT a.attname AS name, t.typcategory AS category, format_type(a.atttypid, NULL) AS type
     FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE a.attrelid = format('public.%I', $1::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attname <> ALL ($2::text[])`,
    [table, declared]
  )
  return Object.fromEntries(rows.map(({ name, category, type }) => [name, someValue(category, type)]))
}

function someValue(category: string, type: string): JsonValue {
  if (category === 'N') return 0
  if (category === 'B') return false
  if (category === 'A') return []
  if (category === 'D') return '2000-01-01'
  if (type === 'uuid') return '00000000-0000-0000-0000-000000000000'
  return type === 'jsonb' || type === 'json' ? {} : 'test'
}

function byTable<T extends Row | PlainRow>(rows: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const tables = new Map<string, T[]>()
  for (const row of rows) {
    const table = 'table' in row ? row.table : row.resource.table
    if (table === null) continue
    tables.set(table, [...(tables.get(table) ?? []), row])
  }
  return tables
}
