import type { ContextPrincipal } from '../db/context-token.js'
import { expectRevision, INSTALLED_REVISION } from '../db/facts.js'
import { type ListPage, listFault, planList } from '../db/list.js'
import type { ListQuery } from '../db/list-query.js'
import type { Bundle } from '../ir/model.js'
import type { Statement } from './statement-group.js'
import type { TenantPool } from './tenant-pool.js'
import { begin, plain, withConnection } from './transaction.js'

/**
 * `listResources` of a user in a tenant, in a transaction of its own and in one round trip: BEGIN, the context, the role
 * for lists, the statement and COMMIT are one message.
 *
 * @param revision the page is refused unless the policies in the database were of this revision when it was read
 * @throws RequestError TWR_REQUEST_LIST or TWR_REQUEST_CURSOR for a query that is none; DatabaseError TWR_DB_NOT_MEMBER,
 * TWR_DB_TRANSACTION inside of `withTenant`, and for whatever the database cannot do
 */
export async function tenantList(
  tenants: TenantPool,
  principal: ContextPrincipal,
  bundle: Bundle,
  query: ListQuery,
  { revision }: { readonly revision?: string } = {}
): Promise<ListPage> {
  const { statement, enter, page } = planList(bundle, query)
  if (statement === null) return page([])
  const { text, values, types, rowMode } = statement
  const inside = (): readonly Statement[] => {
    const isPrepared = tenants.isPreparing
    return [
      ...(enter === null ? [] : [plain(enter, isPrepared)]),
      { text, values, types, rowMode, isPrepared, hasRows: true },
      // safety: after the list, whose locks keep a migration from changing the policies before the transaction ends
      ...(revision === undefined ? [] : [{ text: INSTALLED_REVISION, isPrepared, hasRows: true }]),
      plain('COMMIT', isPrepared)
    ]
  }
  const results = await withConnection(tenants, connected =>
    begin(tenants, connected, principal, { begin: 'BEGIN', inside }).catch(cause => {
      throw listFault(cause, query)
    })
  )
  const listed = results.at(revision === undefined ? -2 : -3)
  if (revision !== undefined) expectRevision(results.at(-2)?.rows[0]?.revision ?? null, revision)
  return page((listed?.rows ?? []) as unknown as readonly (readonly unknown[])[])
}
