import type { TenantClient } from './with-tenant.js'

/** What query builders such as Kysely call of a pool: it gives connections and takes them back. */
export interface OneConnectionPool {
  connect(): Promise<{ readonly query: TenantClient['query']; release(): void }>
  end(): Promise<void>
}

/**
 * A client of `withTenant` for query builders that want a pool. All that they ask for is the one connection of the
 * transaction, and neither giving it back nor ending the pool ends that.
 */
export function oneConnectionPool({ query }: TenantClient): OneConnectionPool {
  return {
    connect: async () => ({ query, release() {} }),
    end: async () => {}
  }
}
