import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type PrincipalOf, type RequestTenant, requestTenant } from './request-tenant.js'
import type { TenantPool } from './tenant-pool.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The database as the user of this request may see it. */
    readonly tenant: RequestTenant
  }
}

/** What the plugin needs to know. */
export interface TenantPluginOptions {
  readonly tenants: TenantPool
  readonly principal: PrincipalOf<FastifyRequest>
}

/**
 * A Fastify plugin: every request has `request.tenant`. Register it at the root; hooks of any kind may verify the user
 * before a handler uses it.
 */
export const tenantPlugin: (app: FastifyInstance, options: TenantPluginOptions, done: () => void) => void =
  Object.assign(
    (app: FastifyInstance, { tenants, principal }: TenantPluginOptions, done: () => void) => {
      const bound = new WeakMap<FastifyRequest, RequestTenant>()
      app.decorateRequest('tenant', {
        getter(this: FastifyRequest) {
          const tenant = bound.get(this) ?? requestTenant(tenants, this, principal)
          bound.set(this, tenant)
          return tenant
        }
      })
      done()
    },
    // what the package fastify-plugin does: the decoration counts for the whole application
    { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'twinrule' }
  )

/**
 * Middleware for Express and everything else that calls `(request, response, next)`: the request has `tenant` from
 * here on.
 */
export function tenantMiddleware<Request extends object>(
  tenants: TenantPool,
  principal: PrincipalOf<Request>
): (request: Request, response: unknown, next: () => void) => void {
  return (request, _response, next) => {
    Object.defineProperty(request, 'tenant', { value: requestTenant(tenants, request, principal) })
    next()
  }
}
