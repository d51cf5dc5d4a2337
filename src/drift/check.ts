import type { ClientBase, Pool } from 'pg'
import type { Bundle } from '../ir/model.js'
import { loadParser } from '../prove/read-back.js'
import { type Comparer, createComparer } from './compare.js'
import type { DriftReport } from './finding.js'
import { type Judge, type Look, lookAt } from './look.js'

/** How to look for drift. */
export interface DriftOptions {
  /** The most cases that are compared for a policy whose text was changed by hand. */
  readonly maxModels: number
}

/** Looks once at a database. */
export type DriftCheck = (database: ClientBase | Pool) => Promise<DriftReport>

/** Makes a judge that compares in this process. The policy is compiled and read when it is first asked. */
export function createJudge(bundle: Bundle, { maxModels }: DriftOptions): Judge {
  let comparer: Comparer | null = null
  return async compared => {
    comparer ??= createComparer(bundle, await loadParser(), maxModels)
    return comparer(compared)
  }
}

/**
 * Makes a check that looks whether a database is what its last migration left and what the policy compiles to. Any
 * login that may ask for the record will do: that of the service, or a superuser.
 *
 * The check throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_FAULT when the catalog cannot be read.
 */
export function createDriftCheck(bundle: Bundle, options: DriftOptions): DriftCheck {
  const judge = createJudge(bundle, options)
  let last: Look | null = null
  return async database => {
    last = await lookAt(database, bundle, judge, last)
    return last.report
  }
}
