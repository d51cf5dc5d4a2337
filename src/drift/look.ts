import type { ClientBase, Pool } from 'pg'
import type { Catalog } from '../db/catalog/item.js'
import { readSnapshot } from '../db/catalog/read.js'
import { readRecord } from '../db/catalog/record.js'
import { type CatalogScope, catalogScope } from '../db/catalog/scope.js'
import type { Fingerprint } from '../db/catalog/verified.js'
import { INSTALLED_REVISION } from '../db/facts.js'
import { databaseFault } from '../db/fault.js'
import type { Bundle } from '../ir/model.js'
import type { DriftFinding, DriftReport } from './finding.js'

/** What is compared with the policy. */
export interface Compared {
  readonly live: Catalog
  /** What the last migration wrote down, null when there is nothing. */
  readonly record: Catalog | null
  /** The revision that the database says it holds. */
  readonly installed: string | null
}

/** What a comparison found. */
export interface Judged {
  readonly findings: readonly DriftFinding[]
  readonly notes: readonly string[]
}

/** Compares what was seen with the policy, here or elsewhere. */
export type Judge = (compared: Compared) => Promise<Judged>

/** A complete look at a database, and the fingerprint of what was looked at. */
export interface Look {
  readonly report: DriftReport
  readonly print: Fingerprint
}

/** What a database shows and says of itself. */
interface Seen {
  readonly compared: Compared
  readonly print: Fingerprint
}

/** A migration that ends between two reads makes them differ; a database changes more often than that by nobody. */
const MAX_READS = 3

/**
 * Looks completely at a database. What is read and its fingerprint come from the same statements. A database of the same
 * fingerprint as at a look that is `known` is not compared again.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_FAULT when the catalog cannot be read
 */
export async function lookAt(
  database: ClientBase | Pool,
  bundle: Bundle,
  judge: Judge,
  known: Look | null = null
): Promise<Look> {
  const scope = catalogScope(bundle)
  const isKnown = ({ print }: Seen) => known !== null && nameOf(known.print) === nameOf(print)
  let seen = await see(database, scope)
  for (let reads = 1; reads < MAX_READS && !isKnown(seen); reads++) {
    const before = nameOf(seen.print)
    seen = await see(database, scope)
    if (nameOf(seen.print) === before) break
  }
  if (known !== null && isKnown(seen)) return known
  const { compared, print } = seen
  const { server, installed } = print
  const base = { revision: bundle.revision, installed, server, objects: compared.live.items.length }
  return { report: { ...base, ...(await judge(compared)) }, print }
}

/** A text that is the same for the same fingerprint. */
export function nameOf({ server, installed, catalog, record }: Fingerprint): string {
  return JSON.stringify([server, installed, catalog, record])
}

async function see(database: ClientBase | Pool, scope: CatalogScope): Promise<Seen> {
  const { catalog: live, sha256: catalog } = await readSnapshot(database, scope).catch(cause => {
    throw databaseFault(cause)
  })
  const { installed, record } = await readWritten(database)
  return {
    compared: { live, record: record.catalog, installed },
    print: { server: live.server, installed, catalog, record: record.sha256 }
  }
}

/** What the database says of itself. That it says nothing is a finding and no fault. */
async function readWritten(database: ClientBase | Pool) {
  try {
    const { rows } = await database.query<{ revision: string | null }>(INSTALLED_REVISION)
    return { record: await readRecord(database), installed: rows[0]?.revision ?? null }
  } catch (cause) {
    const fault = databaseFault(cause)
    if (fault.code === 'TWR_DB_UNREACHABLE') throw fault
    return { record: { catalog: null, sha256: null }, installed: null }
  }
}
