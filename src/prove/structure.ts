import { comparable } from '../ir/comparable.js'

/** Keys of what names a rule or says where it was written. No part of a policy or of read SQL has columns for keys. */
const NAMES: ReadonlySet<string> = new Set(['span', 'id'])

/**
 * A text that is equal for two things exactly when they differ in nothing but the names of tables and rules and in
 * where they were written. Tables are numbered in the order in which they are met, so equal ones stay equal.
 */
export function structureOf(thing: unknown): string {
  const tables = new Map<unknown, number>()
  return JSON.stringify(thing, (key, value: unknown) => {
    if (NAMES.has(key)) return undefined
    if (key === 'table' && value !== null) {
      const number = tables.get(value) ?? tables.size
      tables.set(value, number)
      return number
    }
    return comparable(value)
  })
}
