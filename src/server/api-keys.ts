import { createHash, timingSafeEqual } from 'node:crypto'

/** `Bearer`, in any letter case, and one token without spaces (RFC 9110, 11.6.2; RFC 6750, 2.1). */
const BEARER = /^bearer +(\S+) *$/i

/**
 * Builds the test for the `Authorization` header.
 *
 * @param keys the keys that callers may present, at least one
 * @returns whether the header presents one of them
 */
export function createKeyCheck(keys: readonly string[]): (header: string | undefined) => boolean {
  const digests = keys.map(digest)
  return header => {
    const presented = BEARER.exec(header ?? '')?.[1]
    if (presented === undefined) return false
    const candidate = digest(presented)
    // safety: digests have one length and every key is compared, so time tells neither a prefix nor a position
    let found = 0
    for (const known of digests) found |= Number(timingSafeEqual(known, candidate))
    return found === 1
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
