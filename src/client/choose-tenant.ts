import { domainToASCII } from 'node:url'
import { ConfigError, RequestError } from '../errors/errors.js'
import { canonicalUuid } from '../ir/uuid.js'
import type { TenantPool } from './tenant-pool.js'
import { NotMemberError } from './transaction.js'

/** By what a request can name its tenant, the first that is there counts. */
export interface TenantHints {
  /** The header in which a client names the tenant by id, such as `x-tenant-id`, as the framework gives it. */
  readonly header?: string | readonly string[] | undefined
  /** The host that was asked, as the framework gives it: it knows which proxies are trusted. */
  readonly host?: string | undefined
  /** The value of the cookie that remembers a tenant by id. */
  readonly cookie?: string | undefined
  /** The user's own tenant, from the session or the token of the login. */
  readonly fallback?: string | null | undefined
}

/** A tenant, and by what it was named. */
export interface TenantChoice {
  readonly tenantId: string
  readonly method: 'header' | 'subdomain' | 'cookie' | 'fallback'
}

/** Names of hosts that are no tenant. */
const NO_TENANT: ReadonlySet<string> = new Set(['', 'www', 'app', 'api'])

/**
 * In which tenant a request wants to act: by its header, else the subdomain, else the cookie, else the user's own. What
 * is named counts and never falls through to the next: a tenant that does not exist is refused like one of which the
 * user is no member.
 *
 * safety: this only chooses. Whether the user is a member is asked by the database, when the context is opened.
 *
 * @param options.baseDomain the domain under which tenants have their slug as a subdomain; none of them counts without it
 * @returns null when nothing names a tenant
 * @throws RequestError TWR_REQUEST_INVALID, status 400, for a header that is repeated or no uuid; DatabaseError
 * TWR_DB_NOT_MEMBER, status 403, for a subdomain of no tenant; ConfigError for a base domain that is none
 */
export async function chooseTenant(
  { pool }: Pick<TenantPool, 'pool'>,
  { header, host, cookie, fallback }: TenantHints,
  { baseDomain }: { readonly baseDomain?: string } = {}
): Promise<TenantChoice | null> {
  if (header !== undefined) return { tenantId: idOf(header, 'the header of the tenant'), method: 'header' }
  const slug = baseDomain === undefined || host === undefined ? null : slugOf(host, baseDomain)
  if (slug !== null) {
    const { rows } = await pool.query<{ id: string }>('SELECT id FROM twinrule.get_tenant_by_slug($1)', [
      slug
    ])
    if (rows[0] === undefined) throw new NotMemberError()
    return { tenantId: rows[0].id, method: 'subdomain' }
  }
  if (cookie !== undefined) return { tenantId: idOf(cookie, 'the cookie of the tenant'), method: 'cookie' }
  if (fallback === undefined || fallback === null) return null
  return { tenantId: fallback, method: 'fallback' }
}

function idOf(value: string | readonly string[], what: string): string {
  const id = typeof value === 'string' ? canonicalUuid(value) : null
  if (id === null) throw new RequestError('TWR_REQUEST_INVALID', 400, `${what} must be one uuid`)
  return id
}

/** The subdomain of a host, null when it is none of a tenant. One with dots in it is the slug of nobody. */
function slugOf(host: string, baseDomain: string): string | null {
  const base = domainToASCII(baseDomain)
  if (base === '') throw new ConfigError('TWR_CONFIG', `the base domain ${baseDomain} is no domain`)
  const [name = ''] = host.split(':')
  // letter case and alphabets fold; a dot at the end is that of the root
  const asked = domainToASCII(name).replace(/\.$/, '')
  const suffix = `.${base}`
  if (!asked.endsWith(suffix)) return null
  const slug = asked.slice(0, -suffix.length)
  return NO_TENANT.has(slug) ? null : slug
}
