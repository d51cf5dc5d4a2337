/**
 * Days and microseconds since 1970 from ISO 8601 text and back: the canonical form of date and timestamptz, on which
 * JavaScript's order is PostgreSQL's. `infinity` is Infinity.
 *
 * @see PostgreSQL manual, 8.5 Date/Time Types
 */
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(Z|z|[+-]\d{2}(?::?\d{2})?)$/
const DAY_MS = 86_400_000
const DAY_US = 86_400_000_000n

/** Whole days since 1970-01-01, or null when the text is no date between the years 1 and 9999. */
export function parseDate(text: string): number | null {
  const infinite = parseInfinity(text)
  if (infinite !== null) return infinite
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? []
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  // a day that does not exist rolls over into another one
  const valid = text !== '' && year !== '0000' && date.toISOString().slice(0, 10) === text
  return valid ? date.getTime() / DAY_MS : null
}

/** Microseconds since 1970 in UTC, or null when the text is no point in time with its offset and at most six digits. */
export function parseTimestamp(text: string): number | bigint | null {
  const infinite = parseInfinity(text)
  if (infinite !== null) return infinite
  const [, day = '', hour = '', minute = '', second = '', fraction = '', zone = ''] =
    TIMESTAMP.exec(text) ?? []
  const days = day === '' ? null : parseDate(day)
  const offset = offsetMinutes(zone)
  if (days === null || offset === null || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return null
  const seconds = BigInt((Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second))
  const micros = BigInt(days) * DAY_US + seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  return narrow(micros)
}

/** A number where it is exact, a bigint beyond. */
export function narrow(wide: bigint): number | bigint {
  const number = Number(wide)
  return Number.isSafeInteger(number) ? number : wide
}

/** The text of a date in the form that `parseDate` reads. */
export function formatDate(days: number): string {
  if (!Number.isFinite(days)) return days > 0 ? 'infinity' : '-infinity'
  return new Date(days * DAY_MS).toISOString().slice(0, 10)
}

/** The text of a point in time in UTC, in the form that `parseTimestamp` reads. */
export function formatTimestamp(micros: number | bigint): string {
  if (typeof micros === 'number' && !Number.isFinite(micros)) return micros > 0 ? 'infinity' : '-infinity'
  const wide = BigInt(micros)
  const rest = ((wide % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = new Date(Number((wide - rest) / 1000n)).toISOString().slice(0, 19)
  return `${seconds}${rest === 0n ? '' : `.${String(rest).padStart(6, '0')}`}Z`
}

function parseInfinity(text: string): number | null {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  return text === '-infinity' ? Number.NEGATIVE_INFINITY : null
}

function offsetMinutes(zone: string): number | null {
  if (zone === '') return null
  if (zone === 'Z' || zone === 'z') return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(':', '') || 0)]
  if (hours > 15 || minutes > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}
