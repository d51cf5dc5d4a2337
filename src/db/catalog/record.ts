import type { ClientBase, Pool } from 'pg'
import { sql } from '../../backends/sql/fragment.js'
import type { Bundle } from '../../ir/model.js'
import type { Catalog, CatalogItem } from './item.js'
import { readCatalog, sha256Of } from './read.js'
import { catalogScope } from './scope.js'

/** Tells in one text what a snapshot or one of its items says, so that two of them can be compared. */
function textOf(said: Catalog | CatalogItem | undefined): string | undefined {
  return JSON.stringify(said, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  )
}

/** A snapshot inside of the caller's transaction, which keeps its own settings. */
async function readWithin(client: ClientBase, bundle: Bundle): Promise<Catalog> {
  await client.query('SAVEPOINT twinrule_catalog')
  const catalog = await readCatalog(client, catalogScope(bundle))
  await client.query('ROLLBACK TO SAVEPOINT twinrule_catalog; RELEASE SAVEPOINT twinrule_catalog')
  return catalog
}

/**
 * Writes down what the catalog looks like, as what the last migration left. In a transaction of the caller, after
 * everything that the migration changes.
 */
export async function recordCatalog(client: ClientBase, bundle: Bundle): Promise<void> {
  const catalog = await readWithin(client, bundle)
  await client.query('UPDATE twinrule.state SET catalog = $1', [textOf(catalog)])
}

/** An object of the catalog that is not what the last migration left. */
export interface ChangedItem {
  /** As it is, or as it was where it is gone. */
  readonly item: CatalogItem
  readonly there: boolean
}

/**
 * What is not as the last migration left it, in a transaction of the caller; null when that is not written down in a
 * way that can be compared.
 */
export async function changedItems(
  client: ClientBase,
  bundle: Bundle
): Promise<readonly ChangedItem[] | null> {
  // as JSON, because the table of an earlier version has no such column
  const { rows } = await client.query<{ catalog: Catalog | null }>(
    "SELECT to_jsonb(s) -> 'catalog' AS catalog FROM twinrule.state AS s"
  )
  const recorded = rows[0]?.catalog ?? null
  const now = await readWithin(client, bundle)
  if (recorded === null || recorded.format !== now.format || recorded.server !== now.server) return null
  const then = byName(recorded)
  const live = byName(now)
  return [...new Map([...then, ...live])].flatMap(([key, item]) =>
    textOf(then.get(key)) === textOf(live.get(key)) ? [] : [{ item, there: live.has(key) }]
  )
}

function byName({ items }: Catalog): ReadonlyMap<string, CatalogItem> {
  return new Map(items.map(item => [JSON.stringify([item.kind, item.name]), item]))
}

/** Whether the catalog is still what the last migration left. In a transaction of the caller. */
export async function catalogIsAsRecorded(client: ClientBase, bundle: Bundle): Promise<boolean> {
  return (await changedItems(client, bundle))?.length === 0
}

/** What the last migration wrote down, with its SHA-256 in hex; both null when it wrote nothing. */
export interface Recorded {
  readonly catalog: Catalog | null
  readonly sha256: string | null
}

/** The hash of a record in a query over `twinrule.recorded_catalog() AS record`. */
export const RECORD_SHA256 = sha256Of(sql`record::text`)

/**
 * What the last migration left, as the database has it written down.
 *
 * @throws whatever the server or the connection throws, above all when the function is not there or not for this login
 */
export async function readRecord(database: ClientBase | Pool): Promise<Recorded> {
  const { rows } = await database.query<Recorded>(
    `SELECT record AS catalog, ${RECORD_SHA256} AS sha256 FROM twinrule.recorded_catalog() AS record`
  )
  return { catalog: rows[0]?.catalog ?? null, sha256: rows[0]?.sha256 ?? null }
}
