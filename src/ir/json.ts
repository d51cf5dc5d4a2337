import { formatDate, formatTimestamp } from './time.js'
import type { Type } from './types.js'
import type { Value } from './values.js'

/** A value in JSON: whole numbers beyond 2^53 are text, and so are dates and times, as everywhere in twinrule. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/** A canonical value as JSON carries it: what `canonical` reads back to the same value. */
export function jsonValue(type: Type, value: Value): JsonValue {
  if (value === null) return null
  if (type.kind === 'set') return (value as readonly Value[]).map(item => jsonValue(type.of, item))
  if (type.kind === 'date') return formatDate(Number(value))
  if (type.kind === 'timestamptz') return formatTimestamp(value as number | bigint)
  return typeof value === 'bigint' ? String(value) : (value as string | number | boolean)
}
