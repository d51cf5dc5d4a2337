import { narrow, parseDate, parseTimestamp } from './time.js'
import { type ScalarType, type Type, typeName } from './types.js'
import { canonicalUuid } from './uuid.js'

/**
 * A canonical scalar: uuid in lower case with dashes, text and enum labels as they are, bool, int as a number when it
 * is safe and as a bigint beyond, date as days and timestamptz as microseconds since 1970 likewise. So `===` is
 * PostgreSQL's `=` on every type, and `<` its `<` on the ordered ones.
 */
export type Scalar = string | number | bigint | boolean
/** A canonical value. Sets are arrays that may hold null, as PostgreSQL's arrays may. */
export type Value = Scalar | null | readonly (Scalar | null)[]

/** The canonical value, or why the input is none of its type. */
export type Canonical<V = Value> =
  | { readonly ok: true; readonly value: V }
  | { readonly ok: false; readonly problem: string }

const INT = /^-?(?:0|[1-9][0-9]{0,18})$/
const INT8_MIN = -(2n ** 63n)
const INT8_MAX = 2n ** 63n - 1n
/** Larger sets are refused: a decision would cost more than a person could have meant. */
const MAX_SET_ITEMS = 100_000

/**
 * Turns a value from JSON, YAML or the database into the canonical value of its declared type.
 *
 * Nothing is coerced: `"true"` is no bool, `1` is no text, an array is no scalar and an object is nothing at all.
 * int takes a safe JSON number or decimal digits as text (PostgreSQL `bigint` range), because JSON numbers beyond
 * 2^53 arrive already rounded. date and timestamptz take ISO 8601 text, the latter with its offset.
 *
 * @param input undefined and null are null; the caller decides whether the attribute may be absent
 */
export function canonical(type: Type, input: unknown): Canonical {
  const value = readValue(type, input)
  if (value === undefined) return { ok: false, problem: problemOf(type, input) }
  return { ok: true, value: Array.isArray(value) ? Object.freeze(value) : value }
}

/** The canonical form of one scalar that is not null. */
export function canonicalScalar(type: ScalarType, input: unknown): Canonical<Scalar> {
  const value = readScalar(type, input)
  return value === undefined ? { ok: false, problem: problemOf(type, input) } : { ok: true, value }
}

/**
 * The same as `canonical` without an object around it, for decisions: undefined when the input is none of its type, and
 * `canonical` says why. A set is a copy that belongs to the caller.
 */
export function readValue(type: Type, input: unknown): Value | undefined {
  if (input === null || input === undefined) return null
  return type.kind === 'set' ? readSet(type.of, input) : readScalar(type, input)
}

function readSet(of: ScalarType, input: unknown): readonly (Scalar | null)[] | undefined {
  if (!Array.isArray(input) || input.length > MAX_SET_ITEMS) return undefined
  // safety: what is checked is what is judged, whatever becomes of the caller's list
  const items = [...(input as unknown[])]
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (item === null) continue
    const read = readScalar(of, item)
    if (read === undefined) return undefined
    items[i] = read
  }
  return items as (Scalar | null)[]
}

function readScalar(type: ScalarType, input: unknown): Scalar | undefined {
  switch (type.kind) {
    case 'uuid':
      return typeof input === 'string' ? (canonicalUuid(input) ?? undefined) : undefined
    case 'text':
      // safety: PostgreSQL text holds neither NUL nor lone surrogates, so a value with one can equal nothing there
      return typeof input === 'string' && !input.includes('\0') && input.isWellFormed() ? input : undefined
    case 'bool':
      return typeof input === 'boolean' ? input : undefined
    case 'int':
      return readInt(input)
    case 'date':
      return typeof input === 'string' ? (parseDate(input) ?? undefined) : undefined
    case 'timestamptz':
      return typeof input === 'string' ? (parseTimestamp(input) ?? undefined) : undefined
    case 'enum':
      return typeof input === 'string' && type.labels.includes(input) ? input : undefined
  }
}

function readInt(input: unknown): number | bigint | undefined {
  if (typeof input === 'number') {
    // -0 would be told apart from 0
    return Number.isSafeInteger(input) ? input + 0 : undefined
  }
  if (!isWide(input)) return undefined
  const wide = BigInt(input)
  return wide < INT8_MIN || wide > INT8_MAX ? undefined : narrow(wide)
}

function isWide(input: unknown): input is string | bigint {
  return typeof input === 'bigint' || (typeof input === 'string' && INT.test(input))
}

/** Why an input that is not null is none of a type. */
export function problemOf(type: Type, input: unknown): string {
  if (type.kind === 'set' && Array.isArray(input)) {
    if (input.length > MAX_SET_ITEMS) return `more than ${MAX_SET_ITEMS} items in a set`
    const { of } = type
    return problemOf(
      of,
      [...(input as unknown[])].find(item => item !== null && readScalar(of, item) === undefined)
    )
  }
  if (type.kind === 'text' && typeof input === 'string')
    return 'text with a NUL character or a lone surrogate'
  if (type.kind === 'int' && isWide(input)) return 'int out of the 64 bit range'
  // safety: the value itself stays out of the message, it may be another tenant's
  const kind = Array.isArray(input) ? 'a list' : typeof input === 'object' ? 'an object' : `a ${typeof input}`
  return `expected ${typeName(type)}, got ${kind} that is none`
}
