import type { ContextPrincipal } from '../db/context-token.js'
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
 * @throws RequestError TWR_REQUEST_LIST or TWR_REQUEST_CURSOR for a query that is none; DatabaseError TWR_DB_NOT_MEMBER,
 * TWR_DB_TRANSACTION inside of `withTenant`, and for whatever the database cannot do
 */
export async function tenantList(
  tenants: TenantPool,
  principal: ContextPrincipal,
  bundle: Bundle,
  query: ListQuery
): Promise<ListPage> {
  const { statement, enter, page } = planList(bundle, query)
  if (statement === null) return page([])
  const { text, values, types, rowMode } = statement
  const inside = (): readonly Statement[] => {
    const isPrepared = tenants.isPreparing
    return [
      ...(enter === null ? [] : [plain(enter, isPrepared)]),
      { text, values, types, rowMode, isPrepared, hasRows: true },
      plain('COMMIT', isPrepared)
    ]
  }
  const results = await withConnection(tenants, connected =>
    begin(tenants, connected, principal, { begin: 'BEGIN', inside }).catch(cause => {
      throw listFault(cause, query)
    })
  )
  return page((results.at(-2)?.rows ?? []) as unknown as readonly (readonly unknown[])[])
}
