import type { JsonValue } from '../../ir/json.js'
import type { JsonRow } from './explanation.js'

/** Marks for a terminal. */
export interface Marks {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly faint: (text: string) => string
  readonly strong: (text: string) => string
}

const same = (text: string): string => text
/** No marks at all. */
export const PLAIN: Marks = { good: same, bad: same, faint: same, strong: same }

/** Longer texts and lists are cut: an explanation is read, not parsed. */
const MAX_TEXT = 80
const MAX_ITEMS = 6

/** A value on one line. */
export function shortValue(value: JsonValue): string {
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map(shortValue)
    const rest = value.length - items.length
    return `[${[...items, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ')}]`
  }
  if (typeof value === 'object' && value !== null) return `{ ${valuesText(value as JsonRow)} }`
  const text = JSON.stringify(value)
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}..."` : text
}

/** Values with their names on one line. */
export function valuesText(values: JsonRow): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${shortValue(value)}`)
    .join(', ')
}
