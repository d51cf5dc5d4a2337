import type pg from 'pg'
import { type ContextKey, type ContextPrincipal, contextToken } from '../db/context-token.js'
import type { Statement } from './statement-group.js'

/** How the connections of a pool say for whom they work. */
export interface TenantPoolOptions {
  /** Signs the contexts. null for a policy with `context: plain`. */
  readonly key: ContextKey | null
  /**
   * Whether statements are prepared on the connections. false for PgBouncer before 1.21 in transaction mode, which
   * does not know them; without it the first statement that is not found there means the same.
   */
  readonly prepare?: boolean
}

/** A pool whose connections are used for one tenant at a time. Make it once, where the pool is made. */
export interface TenantPool {
  readonly pool: pg.Pool
  readonly key: ContextKey | null
  /** Turned off by the first prepared statement that the server does not know. */
  isPreparing: boolean
}

/** A pool of the login `twinrule_app`, and the key that signs for whom its transactions work. */
export function tenantPool(pool: pg.Pool, { key, prepare = true }: TenantPoolOptions): TenantPool {
  return { pool, key, isPreparing: prepare }
}

/**
 * The statement that opens the context of a principal. The token is made now, when a connection is at hand.
 *
 * @throws ConfigError TWR_CONFIG when user or tenant is no uuid
 */
export function contextStatement({ key, isPreparing }: TenantPool, principal: ContextPrincipal): Statement {
  const { call, values } = contextCall(key, principal)
  // safety: who is no member must end the group here, or the statements behind would run as nobody; so false divides by zero
  return { text: `SELECT 1 / ${call}::integer`, values, isPrepared: isPreparing }
}

/**
 * The call that opens the context of a principal in a transaction, and says whether it is one.
 *
 * @throws ConfigError TWR_CONFIG when user or tenant is no uuid
 */
export function contextCall(
  key: ContextKey | null,
  { userId, tenantId }: ContextPrincipal
): { readonly call: string; readonly values: readonly string[] } {
  return key === null
    ? { call: 'twinrule.set_tenant_context($1, $2)', values: [userId, tenantId] }
    : { call: 'twinrule.set_tenant_context($1)', values: [contextToken(key, { userId, tenantId })] }
}
