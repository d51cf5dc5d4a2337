import { anyValue } from '../analysis/domain.js'
import type { Values } from '../ir/evaluate.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Value } from '../ir/values.js'

/** A value in JSON: whole numbers beyond 2^53 are text, as everywhere in twinrule. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[]

/** A principal and a row on which the locks differ, complete and ready to be pasted into a test. */
export interface Counterexample {
  readonly principal: Readonly<Record<string, JsonValue>>
  readonly row: Readonly<Record<string, JsonValue>>
  /** What each side says: true where it opens the gate. */
  readonly says: Readonly<Record<string, boolean>>
}

/** A case in which the locks differ, and how much of it a reader must take in: the less the better. */
export interface Mismatch {
  readonly weight: number
  readonly counterexample: Counterexample
}

/** How many values of a case are neither null nor false nor empty. */
export function weightOf(...parts: readonly Values[]): number {
  let weight = 0
  for (const values of parts) {
    for (const value of Object.values(values)) {
      if (value === null || value === false) continue
      weight += Array.isArray(value) ? value.length : 1
    }
  }
  return weight
}

/** The case as a whole principal and a whole row: what no rule looks at is null, or some value of its type. */
export function counterexampleOf(
  bundle: Bundle,
  resource: Resource,
  at: { readonly principal: Values; readonly row: Values },
  says: Readonly<Record<string, boolean>>
): Counterexample {
  // own values only: to ask for others would look like a lock that reads too much
  const attributes = bundle.principal.map(({ name }) => [
    name,
    json(Object.hasOwn(at.principal, name) ? (at.principal[name] ?? null) : null)
  ])
  const columns = resource.columns.map(({ name, type, nullable }) => [
    name,
    json(Object.hasOwn(at.row, name) ? (at.row[name] ?? null) : anyValue(type, nullable))
  ])
  return { principal: Object.fromEntries(attributes), row: Object.fromEntries(columns), says }
}

function json(value: Value): JsonValue {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'object' && value !== null) return value.map(json)
  return value
}
