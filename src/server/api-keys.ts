import { timingSafeEqual } from 'node:crypto'

/** `Bearer`, in any letter case, and one token of visible ASCII (RFC 9110, 11.6.2; RFC 6750, 2.1). */
const BEARER = /^bearer +([\x21-\x7e]+) *$/i

/**
 * Builds the test for the `Authorization` header.
 *
 * @param keys the keys that callers may present, at least one
 * @returns whether the header presents one of them
 */
export function createKeyCheck(keys: readonly string[]): (header: string | undefined) => boolean {
  // keys are ASCII
  const width = Math.max(...keys.map(key => key.length))
  const known = keys.map(key => padded(key, width))
  return header => {
    const presented = BEARER.exec(header ?? '')?.[1]
    if (presented === undefined) return false
    if (presented.length > width) return false
    const candidate = padded(presented, width)
    // safety: all have one length and every key is compared, so time tells neither a prefix nor a position
    let found = 0
    for (const key of known) found |= Number(timingSafeEqual(key, candidate))
    return found === 1
  }
}

/** Filled up with zeros, which no header can carry and no key holds. */
function padded(key: string, width: number): Buffer {
  const bytes = Buffer.alloc(width)
  bytes.write(key, 'latin1')
  return bytes
}
