/** Names that would collide with JavaScript's own or with CASL's wildcards. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'manage',
  'all',
  '__proto__',
  'constructor',
  'prototype',
  'now'
])
