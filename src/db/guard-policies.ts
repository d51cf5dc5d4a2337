import type { Pool } from 'pg'
import { accessObjects } from '../backends/sql/access.js'
import { TENANCY_POLICIES } from '../backends/sql/tenancy.js'
import type { Bundle } from '../ir/model.js'
import { databaseFault } from './fault.js'
import { guardedTables, refuseAny } from './guard.js'

/** Policies on tables that are not among those of a list. */
const FOREIGN = `
SELECT array_agg(format('%I on %I', p.polname, c.relname) ORDER BY c.relname, p.polname) AS foreign
FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
  AND c.relname || '.' || p.polname <> ALL ($2)`

/**
 * Makes sure that the tables of a policy have no policies but the compiled ones.
 *
 * safety: a permissive policy of somebody else lets rows past the rules, a restrictive one hides rows that they show
 *
 * @throws DatabaseError TWR_DB_NOT_MIGRATED or TWR_DB_UNREACHABLE
 */
export async function guardPolicies(pool: Pool, bundle: Bundle): Promise<void> {
  const { rows } = await pool
    .query<{ foreign: readonly string[] | null }>(FOREIGN, [guardedTables(bundle), ownPolicies(bundle)])
    .catch(cause => {
      throw databaseFault(cause)
    })
  refuseAny('policies that twinrule did not make', rows[0]?.foreign ?? null)
}

/** The policies that a migration makes, as `table.policy`. */
function ownPolicies(bundle: Bundle): readonly string[] {
  const made = accessObjects(bundle).filter(({ kind }) => kind === 'policy')
  return [...made, ...TENANCY_POLICIES].map(({ table, name }) => `${table}.${name}`)
}
