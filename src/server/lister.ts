import type { ContextPrincipal } from '../db/context-token.js'
import type { ListPage } from '../db/list.js'
import type { ListQuery } from '../db/list-query.js'

/**
 * Reads lists of rows as a user in a tenant, by a login that is under row-level security.
 *
 * safety: a page is of the policy that the service has loaded, or there is none
 */
export interface Lister {
  /**
   * @throws RequestError for a query that is none; DatabaseError TWR_DB_NOT_MEMBER when the user is no active member of
   * the tenant, and for whatever the database cannot do
   */
  list(principal: ContextPrincipal, query: ListQuery): Promise<ListPage>
  close(): Promise<void>
}
