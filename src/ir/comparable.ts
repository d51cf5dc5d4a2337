/**
 * A part of a model as JSON can tell it apart from every other: JSON has neither wide integers nor infinity, nor maps
 * and sets. For the replacer of `JSON.stringify`.
 */
export function comparable(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return { number: String(value) }
  return value instanceof Map || value instanceof Set ? [...value] : value
}
