import type pg from 'pg'
import type { ContextPrincipal } from '../db/context-token.js'
import type { Statement } from './statement-group.js'
import type { TenantPool } from './tenant-pool.js'
import { begin, plain, withConnection } from './transaction.js'

/**
 * One statement of a user in a tenant, in a transaction of its own and in one round trip: BEGIN, the context, the
 * statement and COMMIT are one message. A statement with a `name` is prepared once for each connection.
 *
 * @throws DatabaseError TWR_DB_NOT_MEMBER when the user is no active member of the tenant, and nothing has run then;
 * TWR_DB_TRANSACTION inside of `withTenant`; and what the server refuses, which is rolled back
 */
export function tenantQuery<R extends unknown[] = unknown[]>(
  tenants: TenantPool,
  principal: ContextPrincipal,
  query: pg.QueryArrayConfig,
  values?: readonly unknown[]
): Promise<pg.QueryArrayResult<R>>
export function tenantQuery<R extends pg.QueryResultRow = pg.QueryResultRow>(
  tenants: TenantPool,
  principal: ContextPrincipal,
  query: string | pg.QueryConfig,
  values?: readonly unknown[]
): Promise<pg.QueryResult<R>>
export function tenantQuery(
  tenants: TenantPool,
  principal: ContextPrincipal,
  query: string | pg.QueryConfig | pg.QueryArrayConfig,
  values?: readonly unknown[]
): Promise<unknown> {
  return withConnection(tenants, async connected => {
    const inside = () => [
      statementOf(query, values, tenants.isPreparing),
      plain('COMMIT', tenants.isPreparing)
    ]
    const results = await begin(tenants, connected, principal, { begin: 'BEGIN', inside })
    return results[2]
  })
}

function statementOf(
  query: string | pg.QueryConfig | pg.QueryArrayConfig,
  values: readonly unknown[] | undefined,
  mayPrepare: boolean
): Statement {
  if (typeof query === 'string')
    return { text: query, values: values ?? [], isPrepared: false, hasRows: true }
  return {
    text: query.text,
    values: values ?? query.values ?? [],
    isPrepared: mayPrepare && query.name !== undefined,
    hasRows: true,
    types: query.types,
    rowMode: 'rowMode' in query ? query.rowMode : undefined
  }
}
