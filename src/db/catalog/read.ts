import type { ClientBase, Pool, QueryResult } from 'pg'
import { type Fragment, join, lit, sql } from '../../backends/sql/fragment.js'
import { CATALOG_FORMAT, type Catalog, type CatalogItem } from './item.js'
import { ATTACHED, FUNCTIONS, POLICIES, TABLES } from './objects.js'
import type { CatalogScope } from './scope.js'
import { OPEN, PLACES, ROLES } from './surroundings.js'

/** Longest wait for a snapshot, in milliseconds; on a database of thousands of tables it takes some 100. */
const TIMEOUT_MS = 10_000

/**
 * How the server prints expressions, whoever asks and whatever the defaults of the login. In a pool the settings end
 * with the statements, which are one transaction; in a transaction they stay until its end. Compiling the query would
 * take ten times as long as running it.
 */
const SETTINGS = sql`SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL quote_all_identifiers = off;
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = postgres;
SET LOCAL timezone = 'UTC';
SET LOCAL bytea_output = hex;
SET LOCAL extra_float_digits = 1;
SET LOCAL jit = off;
SET LOCAL statement_timeout = ${lit(TIMEOUT_MS)};`

/** A snapshot and its SHA-256 in hex, made by the server in the same statement. */
export interface Snapshot {
  readonly catalog: Catalog
  readonly sha256: string
}

/** The SHA-256 of a text in hex. */
export function sha256Of(text: Fragment): Fragment {
  return sql`encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`
}

/** The hash of a snapshot, in a query over `snapshot`: one formula for whoever reads it and for whoever only compares. */
export const SNAPSHOT_SHA256 = sha256Of(
  sql`concat_ws(' ', ${lit(CATALOG_FORMAT)}, snapshot.server, snapshot.items)`
)

/**
 * One statement for everything, so that it is of one moment, and the settings that it is read under. Whoever may log in
 * may run it. `wanted` says what of `snapshot` is answered: its columns are `server` and `items`.
 */
export function snapshotSql({ tables, roles, apps }: CatalogScope, wanted: Fragment): Fragment {
  const parts = [POLICIES, TABLES, ATTACHED, FUNCTIONS, PLACES, ROLES, OPEN]
  return sql`${SETTINGS}
WITH managed AS MATERIALIZED (
  SELECT c.oid, format('%s.%s', n.nspname, c.relname) AS name, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (n.nspname = 'twinrule' OR n.nspname = 'public' AND (
    c.relname = ANY (${texts(tables)}) OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND left(p.polname, 9) = 'twinrule_')))
), ours AS MATERIALIZED (
  SELECT * FROM pg_roles WHERE rolname = ANY (${texts(roles)})
), apps AS MATERIALIZED (
  SELECT oid, rolname FROM pg_roles WHERE rolname = ANY (${texts(apps)})
), snapshot AS MATERIALIZED (
SELECT current_setting('server_version_num')::integer / 10000 AS server,
  COALESCE(jsonb_agg(jsonb_build_object('kind', kind, 'name', name, 'facts', facts) ORDER BY kind COLLATE "C", name COLLATE "C"), '[]') AS items
FROM (${parts.reduce((all, part) => sql`${all}\nUNION ALL${part}`)}
) AS found (kind, name, facts)
)
SELECT ${wanted} FROM snapshot`
}

function texts(values: readonly string[]): Fragment {
  return values.length === 0 ? sql`ARRAY[]::text[]` : sql`ARRAY[${join(values.map(lit), ', ')}]`
}

/**
 * The answer to one of these statements.
 *
 * @throws whatever the server or the connection throws
 */
export async function askSnapshot<T>(database: ClientBase | Pool, statement: Fragment): Promise<T> {
  // `query_timeout` of one statement is missing in the types of pg
  const query = { text: String(statement), query_timeout: TIMEOUT_MS + 250 } as { text: string }
  // several statements have several results, which the types of pg do not know either
  const results = (await database.query(query)) as unknown as readonly QueryResult[]
  return results.at(-1)?.rows[0] as T
}

/**
 * A snapshot of the part of the catalog that a policy is about, with its hash.
 *
 * @throws whatever the server or the connection throws
 */
export async function readSnapshot(database: ClientBase | Pool, scope: CatalogScope): Promise<Snapshot> {
  const wanted = sql`server, items, ${SNAPSHOT_SHA256} AS sha256`
  const { server, items, sha256 } = await askSnapshot<{
    server: number
    items: readonly CatalogItem[]
    sha256: string
  }>(database, snapshotSql(scope, wanted))
  return { catalog: { format: CATALOG_FORMAT, server, items }, sha256 }
}

/** The snapshot alone. */
export async function readCatalog(database: ClientBase | Pool, scope: CatalogScope): Promise<Catalog> {
  return (await readSnapshot(database, scope)).catalog
}
