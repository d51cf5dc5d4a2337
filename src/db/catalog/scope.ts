import { plainRelations } from '../../backends/sql/related.js'
import { managedRoles, readingRoles } from '../../backends/sql/roles.js'
import { TENANCY_POLICIES } from '../../backends/sql/tenancy.js'
import type { Bundle } from '../../ir/model.js'

/** What of a database a policy is about. */
export interface CatalogScope {
  /** Tables of schema public: those of the policy, those that its relations lead to, and the tenancy tables. */
  readonly tables: readonly string[]
  /** Every role that twinrule manages. */
  readonly roles: readonly string[]
  /** The roles in which applications run SQL. */
  readonly apps: readonly string[]
}

/** The part of a database whose catalog decides who may see what under a policy. */
export function catalogScope(bundle: Bundle): CatalogScope {
  const tables = [
    ...bundle.resources.flatMap(({ table }) => (table === null ? [] : [table])),
    ...plainRelations(bundle).map(({ table }) => table),
    ...TENANCY_POLICIES.map(({ table }) => table)
  ]
  return { tables: [...new Set(tables)].sort(), roles: managedRoles(bundle), apps: readingRoles(bundle) }
}
