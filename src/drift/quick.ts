import type { ClientBase, Pool } from 'pg'
import { catalogScope } from '../db/catalog/scope.js'
import { readVerification, type Verification } from '../db/catalog/verified.js'
import { databaseFault } from '../db/fault.js'
import type { Bundle } from '../ir/model.js'
import type { DriftReport } from './finding.js'
import { type Judge, type Look, lookAt, nameOf } from './look.js'

/** What a service has to know of a look. */
export type Findings = Pick<DriftReport, 'findings'>

const CLEAN: Findings = { findings: [] }

/**
 * What a database is, and whether a migration has verified just this: one statement. Null when it cannot be asked.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE
 */
export async function askVerified(
  database: ClientBase | Pool,
  bundle: Bundle,
  version: string
): Promise<Verification | null> {
  try {
    return await readVerification(database, catalogScope(bundle), { revision: bundle.revision, version })
  } catch (cause) {
    const fault = databaseFault(cause)
    if (fault.code === 'TWR_DB_UNREACHABLE') throw fault
    // safety: whatever keeps it from being read, the complete look follows, which says what it is
    return null
  }
}

/**
 * Makes a check that first asks whether the database is what a migration has verified, and looks completely when it is
 * not. What was found is remembered as long as the database stays so.
 *
 * The check throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_FAULT when the catalog cannot be read.
 */
export function createQuickCheck(
  bundle: Bundle,
  version: string,
  judge: Judge
): (database: ClientBase | Pool) => Promise<Findings> {
  let last: Look | null = null
  return async database => {
    const seen = await askVerified(database, bundle, version)
    if (seen?.clean === true) return CLEAN
    if (seen !== null && last !== null && nameOf(last.print) === nameOf(seen)) return last.report
    last = await lookAt(database, bundle, judge, last)
    return last.report
  }
}
