import { forEachRow, type PrincipalPart, principalsOf, type Space } from '../analysis/models.js'
import { evaluate } from '../ir/evaluate.js'
import { changedColumns, columnBar } from '../ir/gates.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import { type Halves, halvesOf } from './halves.js'
import { caseOf, type Found, opens, type Quest, type Search } from './quest.js'
import { type Names, renamings, textOf, tieOf } from './ties.js'

/** An old or new row whose gates are open. Of rows that can do the same the lightest is kept. */
interface HalfRow {
  readonly row: Named
  readonly weight: number
  readonly wanted: boolean
  /** Of an old row: the columns, of those that both rows have, that may not change. */
  readonly barred: readonly string[]
}

/** Counts rows and pairs, and ends a search that takes too many. */
interface Meter {
  models: number
  readonly limit: number
}

class TooMany extends Error {}

function count(meter: Meter): void {
  meter.models++
  if (meter.models > meter.limit) throw new TooMany()
}

/**
 * Tries every update: for each principal the old rows and the new rows whose gates are open are collected, and an old
 * row is paired with the new rows that can be made equal to it in every column that may not change. So pairs that
 * differ only in what no condition sees are tried once.
 */
export function searchUpdates(quest: Quest, maxModels: number): Search {
  const halves = halvesOf(quest)
  if (halves.atLeast > maxModels) return { found: null, models: halves.atLeast, complete: false }
  const meter: Meter = { models: 0, limit: maxModels }
  const principal: Record<string, Value> = {}
  let found: Found | null = null
  try {
    for (const part of principalsOf(halves.old, principal)) {
      const names = { shared: halves.shared, domains: halves.old.domains, taken: part.used }
      const pair = lightest({ quest, halves, part, principal, meter, names }, found?.weight ?? null)
      if (pair !== null) found = pair
    }
    return { found, models: meter.models, complete: true }
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    // safety: what was found stands; that nothing was found says nothing
    return { found, models: Math.max(meter.models, halves.atLeast), complete: false }
  }
}

/** The updates of one principal. */
interface Pairing {
  readonly quest: Quest
  readonly halves: Halves
  readonly part: PrincipalPart
  readonly principal: Named
  readonly meter: Meter
  readonly names: Names
}

/** The lightest pair that is lighter than a limit. */
function lightest(pairing: Pairing, limit: number | null): Found | null {
  const next = openRows(pairing, 'new', pairing.halves.next)
  if (next.length === 0) return null
  const partners = new Map<string, ReadonlyMap<string, readonly HalfRow[]>>()
  const own = weightOf(pairing.principal)
  let found: Found | null = null
  for (const old of openRows(pairing, 'old', pairing.halves.old)) {
    const barred = old.barred.join()
    const byTie = partners.get(barred) ?? rowsByTie(pairing, next, old.barred)
    partners.set(barred, byTie)
    for (const one of byTie.get(tieOf(pairing.names, old.row, old.barred)) ?? []) {
      count(pairing.meter)
      const weight = own + old.weight + one.weight
      if (weight >= (found?.weight ?? limit ?? Number.POSITIVE_INFINITY)) break
      const pair = paired(pairing, old, one)
      if (pair === null) continue
      found = { ...pair, principal: { ...pairing.principal }, now: pairing.part.now, weight }
      break
    }
  }
  return found
}

/** The rows of one half whose gates are open, the lightest first. */
function openRows(pairing: Pairing, which: 'old' | 'new', space: Space): readonly HalfRow[] {
  const { resource, when, wanted, changes } = pairing.quest
  const asked = which === 'old' || changes === null
  const kept = new Map<string, HalfRow>()
  const row: Record<string, Value> = {}
  const at = caseOf({ principal: pairing.principal, now: pairing.part.now }, row)
  forEachRow(space, pairing.part, row, () => {
    count(pairing.meter)
    if (!opens(pairing.quest, which, at)) return
    const shared = [...pairing.halves.shared.keys()]
    const barred = which === 'new' ? [] : shared.filter(column => columnBar(resource, [column], at) !== null)
    const interesting = asked && wanted(evaluate(when, at))
    // an old row that may lose the columns to nobody is no violation
    if (changes !== null && which === 'old' && (!interesting || changes.every(one => barred.includes(one))))
      return
    const key = `${interesting} ${barred} ${shared.map(column => textOf(row[column] ?? null)).join('|')}`
    const weight = weightOf(row)
    if (weight >= (kept.get(key)?.weight ?? Number.POSITIVE_INFINITY)) return
    kept.set(key, { row: { ...row }, weight, wanted: interesting, barred })
  })
  return [...kept.values()].sort((a, b) => a.weight - b.weight)
}

/** The new rows by what an old row must have in common with them. */
function rowsByTie(
  pairing: Pairing,
  next: readonly HalfRow[],
  barred: readonly string[]
): ReadonlyMap<string, readonly HalfRow[]> {
  const map = new Map<string, HalfRow[]>()
  for (const one of next) {
    const tie = tieOf(pairing.names, one.row, barred)
    const same = map.get(tie) ?? []
    // where any wanted row will do, the lightest and the lightest wanted one are enough
    const enough = same.some(({ wanted }) => wanted || wanted === one.wanted)
    if (pairing.quest.changes === null && enough) continue
    map.set(tie, [...same, one])
  }
  return map
}

function paired(
  pairing: Pairing,
  old: HalfRow,
  next: HalfRow
): { readonly row: Named; readonly next: Named } | null {
  const { resource, changes } = pairing.quest
  if (changes === null && !old.wanted && !next.wanted) return null
  for (const renamed of renamings(pairing.names, old.row, next.row, old.barred)) {
    // a column that one half does not look at stays as it is in the other
    const rows = { row: { ...renamed, ...old.row }, next: { ...old.row, ...renamed } }
    if (changes === null) return rows
    const changed = changedColumns(resource, rows.row, rows.next)
    if (changes.some(one => changed.includes(one))) return rows
    const again = changes.find(one => !old.barred.includes(one) && (rows.next[one] as unknown[])?.length > 0)
    const list = again === undefined ? null : rows.next[again]
    // lists that hold the same once more are another value, though no condition tells them apart
    if (again !== undefined && Array.isArray(list)) {
      return { ...rows, next: { ...rows.next, [again]: [...list, list[0] ?? null] } }
    }
  }
  return null
}
