import { anyValue } from '../analysis/sorts.js'
import type { Related, Values } from '../ir/evaluate.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import type { Bundle, Column, Resource } from '../ir/model.js'
import { formatTimestamp } from '../ir/time.js'
import type { Value } from '../ir/values.js'

/** A principal and a row on which the locks differ, complete and ready to be pasted into a test. */
export interface Counterexample {
  readonly principal: Readonly<Record<string, JsonValue>>
  readonly row: Readonly<Record<string, JsonValue>>
  /** The time of the decision as ISO text, null where no rule reads it. */
  readonly now: string | null
  /** Where the question is which columns an update may change: those that it changes in this row. */
  readonly changed?: readonly string[]
  /** What each side says: true where it opens the gate. */
  readonly says: Readonly<Record<string, boolean>>
}

/** A case in which the locks differ, and how much of it a reader must take in: the less the better. */
export interface Mismatch {
  readonly weight: number
  readonly counterexample: Counterexample
}

/** How many values of a case are neither null nor false nor empty. */
export function weightOf(...parts: readonly Named[]): number {
  let weight = 0
  for (const values of parts) {
    for (const value of Object.values(values)) {
      if (value === null || value === false) continue
      weight += Array.isArray(value) ? value.reduce<number>((sum, item) => sum + weightOfItem(item), 0) : 1
    }
  }
  return weight
}

/** A related row weighs more than its values: none is less to take in than one of NULLs. */
function weightOfItem(item: Value | Related): number {
  return typeof item === 'object' && item !== null ? 1 + weightOf(item as Related) : 1
}

/** Values by name. */
export type Named = Values

/** A case of which only the values that some condition looks at are given. */
export interface PartialCase {
  readonly principal: Named
  readonly row: Named
  readonly now: number | bigint | null
}

/** The case as a whole principal and a whole row: what no rule looks at is null, or some value of its type. */
export function counterexampleOf(
  bundle: Bundle,
  resource: Resource,
  { principal, row, now }: PartialCase,
  says: Readonly<Record<string, boolean>>
): Counterexample {
  const attributes = bundle.principal.map(({ name, type }) => [
    name,
    jsonValue(type, chosen(principal, name) ?? null)
  ])
  // an absent relation is one that no rule of the gate speaks of
  const related = resource.relations.map(({ name, columns }) => {
    const rows = Object.hasOwn(row, name) ? (row[name] as readonly Related[]) : []
    return [name, rows.map(one => wholeRow(columns, one))]
  })
  return {
    principal: Object.fromEntries(attributes),
    row: { ...wholeRow(resource.columns, row), ...Object.fromEntries(related) },
    now: now === null ? null : formatTimestamp(now),
    says
  }
}

/** Own values only: to ask for others would look like a lock that reads too much. */
function chosen(values: Named, name: string): Value | undefined {
  return Object.hasOwn(values, name) ? ((values[name] ?? null) as Value) : undefined
}

function wholeRow(columns: readonly Column[], values: Named): Readonly<Record<string, JsonValue>> {
  return Object.fromEntries(
    columns.map(({ name, type, nullable }) => {
      const value = chosen(values, name)
      return [name, jsonValue(type, value === undefined ? anyValue(type, nullable) : value)]
    })
  )
}
