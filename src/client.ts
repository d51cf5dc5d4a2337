/**
 * What an application needs beside its own SQL: transactions of tenants on a pool of `pg`.
 *
 * @module
 */
export { chooseTenant, type TenantChoice, type TenantHints } from './client/choose-tenant.js'
export { type TenantPluginOptions, tenantMiddleware, tenantPlugin } from './client/frameworks.js'
export { type OneConnectionPool, oneConnectionPool } from './client/one-connection-pool.js'
export type { PrincipalOf, RequestTenant } from './client/request-tenant.js'
export { type TenantPool, type TenantPoolOptions, tenantPool } from './client/tenant-pool.js'
export { tenantQuery } from './client/tenant-query.js'
export {
  asPlatformAdmin,
  type TenantClient,
  type TransactionOptions,
  withTenant
} from './client/with-tenant.js'
export {
  type ContextKey,
  type ContextPrincipal,
  contextKey,
  contextToken
} from './db/context-token.js'
