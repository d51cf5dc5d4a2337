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
  if (input === null || input === undefined) return { ok: true, value: null }
  return type.kind === 'set' ? canonicalSet(type.of, input) : canonicalScalar(type, input)
}

function canonicalSet(of: ScalarType, input: unknown): Canonical {
  if (!Array.isArray(input)) return wrong({ kind: 'set', of }, input)
  if (input.length > MAX_SET_ITEMS) return { ok: false, problem: `more than ${MAX_SET_ITEMS} items in a set` }
  const items: (Scalar | null)[] = []
  for (const item of input as unknown[]) {
    if (item === null) {
      items.push(null)
      continue
    }
    const one = canonicalScalar(of, item)
    if (!one.ok) return one
    items.push(one.value)
  }
  return { ok: true, value: Object.freeze(items) }
}

/** The canonical form of one scalar that is not null. */
export function canonicalScalar(type: ScalarType, input: unknown): Canonical<Scalar> {
  switch (type.kind) {
    case 'uuid':
      return found(type, input, typeof input === 'string' ? canonicalUuid(input) : null)
    case 'text':
      return typeof input === 'string' ? canonicalText(input) : wrong(type, input)
    case 'bool':
      return typeof input === 'boolean' ? { ok: true, value: input } : wrong(type, input)
    case 'int':
      return canonicalInt(type, input)
    case 'date':
      return found(type, input, typeof input === 'string' ? parseDate(input) : null)
    case 'timestamptz':
      return found(type, input, typeof input === 'string' ? parseTimestamp(input) : null)
    case 'enum':
      return typeof input === 'string' && type.labels.includes(input)
        ? { ok: true, value: input }
        : wrong(type, input)
  }
}

function canonicalText(input: string): Canonical<Scalar> {
  // safety: PostgreSQL text holds neither NUL nor lone surrogates, so a value with one can equal nothing there
  if (input.includes('\0') || !input.isWellFormed()) {
    return { ok: false, problem: 'text with a NUL character or a lone surrogate' }
  }
  return { ok: true, value: input }
}

function canonicalInt(type: ScalarType, input: unknown): Canonical<Scalar> {
  if (typeof input === 'number') {
    return Number.isSafeInteger(input) ? { ok: true, value: input === 0 ? 0 : input } : wrong(type, input)
  }
  if (typeof input !== 'bigint' && !(typeof input === 'string' && INT.test(input))) return wrong(type, input)
  const wide = BigInt(input)
  if (wide < INT8_MIN || wide > INT8_MAX) return { ok: false, problem: 'int out of the 64 bit range' }
  return { ok: true, value: narrow(wide) }
}

function found(type: ScalarType, input: unknown, value: Scalar | null): Canonical<Scalar> {
  return value === null ? wrong(type, input) : { ok: true, value }
}

function wrong(type: Type, input: unknown): { ok: false; problem: string } {
  // safety: the value itself stays out of the message, it may be another tenant's
  const kind = Array.isArray(input) ? 'a list' : typeof input === 'object' ? 'an object' : `a ${typeof input}`
  return { ok: false, problem: `expected ${typeName(type)}, got ${kind} that is none` }
}
