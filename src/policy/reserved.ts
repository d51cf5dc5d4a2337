/** What the policy language has and this version does not compile yet: refused by name, never ignored. */
export const UNSUPPORTED_KEYS: Readonly<Record<string, string>> = {
  invariants: 'invariants'
}

/** Names that would collide with JavaScript's own or with CASL's wildcards. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'manage',
  'all',
  '__proto__',
  'constructor',
  'prototype',
  'now'
])
