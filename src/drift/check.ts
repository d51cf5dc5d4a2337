import type { ClientBase, Pool } from 'pg'
import type { Catalog } from '../db/catalog/item.js'
import { readCatalog } from '../db/catalog/read.js'
import { readRecord } from '../db/catalog/record.js'
import { type CatalogScope, catalogScope } from '../db/catalog/scope.js'
import { databaseFault } from '../db/fault.js'
import type { Bundle } from '../ir/model.js'
import { loadParser } from '../prove/read-back.js'
import { type Comparer, createComparer } from './compare.js'
import type { DriftReport } from './finding.js'

/** How to look for drift. */
export interface DriftOptions {
  /** The most cases that are compared for a policy whose text was changed by hand. */
  readonly maxModels: number
}

/** Looks once at a database. */
export type DriftCheck = (database: ClientBase | Pool) => Promise<DriftReport>

/** What a database shows and says of itself. */
interface Seen {
  readonly live: Catalog
  readonly record: Catalog | null
  readonly installed: string | null
}

/** A migration that ends between two reads makes them differ; a database changes more often than that by nobody. */
const MAX_READS = 3

/**
 * Makes a check that looks whether a database is what its last migration left and what the policy compiles to. Any
 * login that may ask for the record will do: that of the service, or a superuser. A database in which nothing has
 * changed since the last look is not compared again, so looking often costs one query.
 *
 * The check throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_FAULT when the catalog cannot be read.
 */
export function createDriftCheck(bundle: Bundle, { maxModels }: DriftOptions): DriftCheck {
  const scope = catalogScope(bundle)
  let comparer: Comparer | null = null
  let last: { readonly text: string; readonly report: DriftReport } | null = null
  return async database => {
    let [seen, text] = await look(database, scope)
    for (let reads = 1; reads < MAX_READS && text !== last?.text; reads++) {
      const before = text
      ;[seen, text] = await look(database, scope)
      if (text === before) break
    }
    if (text === last?.text) return last.report
    comparer ??= createComparer(bundle, await loadParser(), maxModels)
    const { live, installed } = seen
    const base = { revision: bundle.revision, installed, server: live.server, objects: live.items.length }
    const report = { ...base, ...comparer(seen) }
    last = { text, report }
    return report
  }
}

async function look(
  database: ClientBase | Pool,
  scope: CatalogScope
): Promise<readonly [seen: Seen, text: string]> {
  const live = await readCatalog(database, scope).catch(cause => {
    throw databaseFault(cause)
  })
  const seen = { live, ...(await readWritten(database)) }
  return [seen, JSON.stringify(seen)]
}

/** What the database says of itself. That it says nothing is a finding and no fault. */
async function readWritten(database: ClientBase | Pool): Promise<Omit<Seen, 'live'>> {
  try {
    const { rows } = await database.query<{ revision: string | null }>(
      'SELECT twinrule.installed_revision() AS revision'
    )
    return { record: await readRecord(database), installed: rows[0]?.revision ?? null }
  } catch (cause) {
    const fault = databaseFault(cause)
    if (fault.code === 'TWR_DB_UNREACHABLE') throw fault
    return { record: null, installed: null }
  }
}
