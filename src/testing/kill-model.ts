import { comparisonsOf, relationsOf } from '../analysis/comparisons.js'
import { domainsOf } from '../analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../analysis/models.js'
import { besideOf, listsBeside } from '../analysis/related.js'
import { compilePredicate, type Predicate } from '../backends/compiled.js'
import type { Values } from '../ir/evaluate.js'
import type { Condition } from '../ir/formula.js'
import { type Gate, gateConditions, gateForm, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Value } from '../ir/values.js'
import { signaturesOfParts } from '../prove/signatures.js'
import { type Person, personOf } from './person.js'

/** A principal and a row for which a gate differs between two policies. */
export interface Difference {
  readonly gate: Gate
  readonly person: Person
  readonly row: Values
  /** Whether the gate of the first policy is open. */
  readonly open: boolean
}

/** Differences, the smallest first, and whether every case was tried. */
export interface Differences {
  readonly found: readonly Difference[]
  readonly complete: boolean
}

/** Cases of one gate that are tried at most. */
const MAX_CASES = 60_000
/** Differences of one gate that are kept. */
const KEPT = 12

/** The cases in which the gates of a resource differ between a policy and a mutant. */
export function differences(bundle: Bundle, resource: Resource, mutant: Resource, now: number): Differences {
  const found: (Difference & { readonly weight: number })[] = []
  let complete = true
  for (const gate of gatesOf(bundle)) {
    const [form, other] = [gateForm(resource, gate), gateForm(mutant, gate)]
    if (textOf(form) === textOf(other)) continue
    const gates = { gate, opens: compilePredicate(form), mutantOpens: compilePredicate(other) }
    const conditions = [...gateConditions(resource, gate), ...gateConditions(mutant, gate)]
    const kept: (Difference & { weight: number })[] = []
    complete = collect(bundle, resource, conditions, { ...gates, now }, kept) && complete
    found.push(...kept)
  }
  return { found: found.sort((a, b) => a.weight - b.weight), complete }
}

interface Compared {
  readonly gate: Gate
  readonly opens: Predicate
  readonly mutantOpens: Predicate
  readonly now: number
}

function collect(
  bundle: Bundle,
  resource: Resource,
  conditions: readonly Condition[],
  { gate, opens, mutantOpens, now }: Compared,
  kept: (Difference & { weight: number })[]
): boolean {
  return forEachCase(bundle, resource, conditions, now, ({ person, row }) => {
    const open = opens(person.values, row, now)
    if (open === mutantOpens(person.values, row, now)) return
    const weight = weightOf(person.values) + weightOf(row)
    if (kept.length >= KEPT && weight >= (kept.at(-1)?.weight ?? 0)) return
    kept.push({ gate, person, row: structuredClone(row), open, weight })
    kept.sort((a, b) => a.weight - b.weight)
    kept.length = Math.min(kept.length, KEPT)
  })
}

/** A principal that can exist, and a row of which only the columns that matter have a value. */
interface SmallCase {
  readonly person: Person
  readonly row: Values
}

/**
 * Calls `visit` with the cases of some conditions.
 *
 * @returns whether these were all
 */
export function forEachCase(
  bundle: Bundle,
  resource: Resource,
  conditions: readonly Condition[],
  now: number,
  visit: (one: SmallCase) => void
): boolean {
  const names = new Set(conditions.flatMap(relationsOf).map(({ name }) => name))
  const lists = [...names].map(relation => ({ relation, most: 1 }))
  const space = spaceOf(domainsOf(resource, conditions.flatMap(comparisonsOf)), lists)
  const principal: Record<string, Value> = {}
  const row: Record<string, Values[string]> = {}
  const relations = resource.relations.filter(({ name }) => names.has(name))
  const beside = besideOf(space, {
    empty: () => ({}),
    // of related rows that no condition tells apart, one is enough
    signature: signaturesOfParts(relations, { conditions })
  })
  let left = MAX_CASES
  for (const part of principalsOf(space, principal)) {
    if (left <= 0) break
    const person = personOf(bundle, principal)
    if (person === null) continue
    const lists = listsBeside(beside, person.values, { ...part, now })
    const visitRow = () => {
      if (left-- > 0) visit({ person, row })
    }
    forEachRow(space, part, row, visitRow, lists)
  }
  // more related rows than one may tell what one does not
  return left > 0 && lists.length === 0
}

function weightOf(values: Values): number {
  let weight = 0
  for (const value of Object.values(values)) {
    if (value === null || value === false) continue
    weight += Array.isArray(value) ? value.length : 1
    for (const item of Array.isArray(value) ? value : []) {
      if (typeof item === 'object' && item !== null) weight += weightOf(item as Values)
    }
  }
  return weight
}

/** A text that differs where two forms, rules or rows do. */
export function textOf(value: unknown): string {
  const text = JSON.stringify(value, (key, part: unknown) =>
    key === 'span' ? undefined : typeof part === 'bigint' ? `${part}n` : part
  )
  return text ?? 'null'
}
