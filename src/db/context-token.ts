import { createHmac, randomBytes } from 'node:crypto'
import { ConfigError } from '../errors/errors.js'

/** Seconds that a token is valid unless the caller says otherwise; the database takes at most 120. */
const DEFAULT_SECONDS = 60
const KEY = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{43})$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A key with which tokens are signed. `kid` tells the database which of its keys it is. */
export interface ContextKey {
  readonly kid: string
  /** 32 bytes. */
  readonly secret: Buffer
}

/**
 * Reads a key as `twinrule keys add` prints it: `<kid>:<43 characters of base64url>`.
 *
 * @throws ConfigError TWR_CONFIG; the message never holds any of the text
 */
export function contextKey(text: string): ContextKey {
  const [, kid, encoded] = KEY.exec(text) ?? []
  if (kid === undefined || encoded === undefined) {
    throw new ConfigError('TWR_CONFIG', 'the context key is malformed', {
      hint: 'it is <kid>:<43 characters of base64url>, as `twinrule keys add` prints it in TWINRULE_CONTEXT_KEY'
    })
  }
  return { kid, secret: Buffer.from(encoded, 'base64url') }
}

/** A new key, from the system's source of randomness. */
export function newContextKey(kid: string): ContextKey {
  return contextKey(`${kid}:${randomBytes(32).toString('base64url')}`)
}

/** The text of a key, for TWINRULE_CONTEXT_KEY. */
export function contextKeyText({ kid, secret }: ContextKey): string {
  return `${kid}:${secret.toString('base64url')}`
}

/** For whom a transaction works. */
export interface ContextPrincipal {
  /** uuid of the user. */
  readonly userId: string
  /** uuid of the tenant in which the user acts. */
  readonly tenantId: string
}

/**
 * The token that `twinrule.set_tenant_context(token)` takes, `v1.<kid>.<tenant>.<user>.<expiry>.<signature>`: expiry in
 * seconds since 1970, signature HMAC-SHA256 in hex. Make one for each transaction, after the user is authenticated,
 * and pass it as a bind parameter.
 *
 * @param options.seconds how long it is valid, at most 120 by the database's clock; 60 unless given
 * @throws ConfigError TWR_CONFIG when user or tenant is no uuid
 */
export function contextToken(
  key: ContextKey,
  { userId, tenantId }: ContextPrincipal,
  { seconds = DEFAULT_SECONDS }: { readonly seconds?: number } = {}
): string {
  const [user, tenant] = [userId.toLowerCase(), tenantId.toLowerCase()]
  if (!UUID.test(user) || !UUID.test(tenant)) {
    throw new ConfigError('TWR_CONFIG', 'a context needs the uuid of a user and the uuid of a tenant')
  }
  const expiry = Math.floor(Date.now() / 1000) + seconds
  const signed = `v1.${key.kid}.${tenant}.${user}.${expiry}`
  return `${signed}.${createHmac('sha256', key.secret).update(signed).digest('hex')}`
}

/** The two padded halves of a key (RFC 2104), with which PostgreSQL makes an HMAC by two calls of sha256. */
export function paddedHalves({ secret }: ContextKey): { readonly keyIn: Buffer; readonly keyOut: Buffer } {
  const padded = (byte: number) => Buffer.alloc(64, byte).map((pad, i) => pad ^ (secret[i] ?? 0))
  return { keyIn: Buffer.from(padded(0x36)), keyOut: Buffer.from(padded(0x5c)) }
}
