import type pg from 'pg'
import type { ContextPrincipal } from '../db/context-token.js'
import { DatabaseError } from '../errors/errors.js'
import type { TenantPool } from './tenant-pool.js'
import { tenantQuery } from './tenant-query.js'
import { asPlatformAdmin, type TenantClient, type TransactionOptions, withTenant } from './with-tenant.js'

/** The database as the user of one request may see it. */
export interface RequestTenant {
  /** One statement, in a transaction of its own and in one round trip. */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    query: string | pg.QueryConfig,
    values?: readonly unknown[]
  ): Promise<pg.QueryResult<R>>
  /** Several statements in one transaction. */
  transaction<T>(work: (client: TenantClient) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** The same in the role of a platform administrator, on record. */
  asPlatformAdmin<T>(
    entry: { readonly reason: string; readonly role?: string },
    work: (client: TenantClient) => Promise<T>
  ): Promise<T>
}

/**
 * Says who is asking, from what the application has verified: its session, a token. null for nobody. It is asked once
 * a request, when the request first uses the database.
 */
export type PrincipalOf<Request> = (
  request: Request
) => ContextPrincipal | null | Promise<ContextPrincipal | null>

/** A request without a user wants something from the database. Frameworks answer it with 401. */
class NobodyError extends DatabaseError {
  readonly statusCode = 401
}

/** The database for one request. Nothing is asked of the pool before it is used. */
export function requestTenant<Request>(
  tenants: TenantPool,
  request: Request,
  principalOf: PrincipalOf<Request>
): RequestTenant {
  let asked: Promise<ContextPrincipal> | undefined
  const principal = () => {
    asked ??= known(request, principalOf)
    return asked
  }
  return Object.freeze({
    query: async <R extends pg.QueryResultRow>(query: string | pg.QueryConfig, values?: readonly unknown[]) =>
      tenantQuery<R>(tenants, await principal(), query, values),
    transaction: async <T>(work: (client: TenantClient) => Promise<T>, options?: TransactionOptions) =>
      withTenant(tenants, await principal(), work, options),
    asPlatformAdmin: async <T>(
      entry: { readonly reason: string; readonly role?: string },
      work: (client: TenantClient) => Promise<T>
    ) => asPlatformAdmin(tenants, await principal(), entry, work)
  })
}

async function known<Request>(
  request: Request,
  principalOf: PrincipalOf<Request>
): Promise<ContextPrincipal> {
  const principal = await principalOf(request)
  // safety: without a user there is no context, and no statement is sent in somebody else's
  if (principal === null || principal === undefined) {
    throw new NobodyError('TWR_DB_NOT_MEMBER', 'nobody is logged in, so there is no tenant to work for', {
      hint: 'the function `principal` gave null for this request'
    })
  }
  return principal
}
