import { countPrincipals } from '../analysis/counting.js'
import { forEachRow, type Lists, type PrincipalPart, principalsOf } from '../analysis/models.js'
import { countDistinct, listsBeside } from '../analysis/related.js'
import { type Case, evaluate } from '../ir/evaluate.js'
import { changedColumns, columnBar } from '../ir/gates.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import { type Half, type Halves, halvesOf } from './halves.js'
import {
  caseOf,
  type Found,
  isPossible,
  type Limits,
  meets,
  opener,
  type Quest,
  type Search,
  wholeCase
} from './quest.js'
import { keyFit } from './related-rows.js'
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
  doubtful: boolean
  readonly limit: number
}

class TooMany extends Error {}

function count(meter: Meter): void {
  meter.models++
  if (meter.models > meter.limit) throw new TooMany()
}

/** What a search does with each principal. */
interface Pairing {
  readonly quest: Quest
  readonly halves: Halves
  readonly opens: Readonly<Record<'old' | 'new', (at: Case) => boolean>>
  readonly fits: Readonly<Record<'old' | 'new', ReturnType<typeof keyFit>>>
  readonly principal: Named
  readonly meter: Meter
}

/** One principal, and the related rows beside it. */
interface Beside extends Pairing {
  readonly part: PrincipalPart
  readonly lists: Lists
  /** Lists by number: both halves choose from the same ones. */
  readonly numbers: ReadonlyMap<unknown, number>
  readonly names: Names
}

/**
 * Tries every update: for each principal the old rows and the new rows whose gates are open are collected, and an old
 * row is paired with the new rows that can be made equal to it in every column that may not change. So pairs that
 * differ only in what no condition sees are tried once.
 */
export function searchUpdates(quest: Quest, { maxModels, onProgress }: Limits): Search {
  const halves = halvesOf(quest)
  const principal: Record<string, Value> = {}
  const howFor = halves.related.howFor(principal)
  const sizeOf = ({ counted }: Half) => countDistinct(counted, principal, howFor, maxModels)
  const atLeast = sizeOf(halves.old) + sizeOf(halves.next)
  if (atLeast > maxModels) return { found: null, models: atLeast, complete: false, doubtful: false }
  const meter: Meter = { models: 0, doubtful: false, limit: maxModels }
  const pairing: Pairing = {
    quest,
    halves,
    opens: { old: opener(quest, 'old'), new: opener(quest, 'new') },
    fits: {
      old: keyFit(halves.old.space, halves.old.relations),
      new: keyFit(halves.next.space, halves.next.relations)
    },
    principal,
    meter
  }
  const all = Number(countPrincipals(halves.all.domains))
  let found: Found | null = null
  let done = 0
  try {
    for (const part of principalsOf(halves.all, principal)) {
      const lists = listsBeside(halves.all, part, howFor(part))
      const numbers = new Map([...lists.values()].flat().map((list, i) => [list, i]))
      const names = { shared: halves.shared, domains: halves.all.domains, taken: part.used }
      const pair = lightest({ ...pairing, part, lists, numbers, names }, found?.weight ?? null)
      if (pair !== null) found = pair
      onProgress(++done, all)
    }
    return { found, models: meter.models, complete: true, doubtful: meter.doubtful }
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    // safety: what was found stands; that nothing was found says nothing
    return { found, models: Math.max(meter.models, atLeast), complete: false, doubtful: meter.doubtful }
  }
}

/** The lightest pair that is lighter than a limit. */
function lightest(beside: Beside, limit: number | null): Found | null {
  const next = openRows(beside, 'new')
  if (next.length === 0) return null
  const partners = new Map<string, ReadonlyMap<string, readonly HalfRow[]>>()
  const own = weightOf(beside.principal)
  let found: Found | null = null
  for (const old of openRows(beside, 'old')) {
    const barred = old.barred.join()
    const byTie = partners.get(barred) ?? rowsByTie(beside, next, old.barred)
    partners.set(barred, byTie)
    for (const one of byTie.get(tieWith(beside, old.row, old.barred)) ?? []) {
      count(beside.meter)
      const weight = own + old.weight + one.weight
      if (weight >= (found?.weight ?? limit ?? Number.POSITIVE_INFINITY)) break
      const pair = paired(beside, old, one)
      if (pair === null) continue
      const whole = { ...pair, principal: { ...beside.principal }, now: beside.part.now, weight }
      if (isPossible(beside.quest, wholeCase(beside.quest, whole))) {
        found = whole
        break
      }
      beside.meter.doubtful = true
    }
  }
  return found
}

/** The rows of one half whose gates are open, the lightest first. */
function openRows(beside: Beside, which: 'old' | 'new'): readonly HalfRow[] {
  const { quest, halves, principal, part } = beside
  const { resource, when, wanted, changes } = quest
  const { space } = which === 'old' ? halves.old : halves.next
  const [opens, fits] = [beside.opens[which], beside.fits[which]]
  const asked = which === 'old' || changes === null
  const shared = [...halves.shared.keys()]
  const kept = new Map<string, HalfRow>()
  const row: Record<string, Named[string]> = {}
  const at = caseOf({ principal, now: part.now }, row)
  const visit = () => {
    count(beside.meter)
    if (!fits(row, part.used) || !opens(at)) return
    const barred = which === 'new' ? [] : shared.filter(column => columnBar(resource, [column], at) !== null)
    const interesting = asked && meets(evaluate(when, at), wanted)
    // an old row that may lose the columns to nobody is no violation
    if (changes !== null && which === 'old' && (!interesting || changes.every(one => barred.includes(one))))
      return
    const values = shared.map(column => textOf((row[column] ?? null) as Value)).join('|')
    const key = `${interesting} ${barred} ${values} ${listsIn(beside, row, null)}`
    const weight = weightOf(row)
    if (weight >= (kept.get(key)?.weight ?? Number.POSITIVE_INFINITY)) return
    kept.set(key, { row: { ...row }, weight, wanted: interesting, barred })
  }
  forEachRow(space, part, row, visit, beside.lists)
  return [...kept.values()].sort((a, b) => a.weight - b.weight)
}

/** The related rows that both halves look at, of all relations or of those whose key is one of some columns. */
function listsIn({ halves, numbers }: Beside, row: Named, keys: readonly string[] | null): string {
  return halves.links
    .filter(({ local }) => keys === null || keys.includes(local))
    .map(({ name }) => numbers.get(row[name]))
    .join()
}

/** What two rows have in common that can be made equal in the columns that may not change. */
function tieWith(beside: Beside, row: Named, barred: readonly string[]): string {
  return `${tieOf(beside.names, row, barred)} ${listsIn(beside, row, barred)}`
}

/** The rows by what an old row must have in common with them. */
function rowsByTie(
  beside: Beside,
  next: readonly HalfRow[],
  barred: readonly string[]
): ReadonlyMap<string, readonly HalfRow[]> {
  const map = new Map<string, HalfRow[]>()
  const { links } = beside.halves
  const loose = (row: Named) => links.map(one => textOf(row[one.local] as Value)).join('|')
  const seen = new Set<string>()
  for (const one of next) {
    const tie = tieWith(beside, one.row, barred)
    if (beside.quest.changes === null) {
      // where any wanted row will do, the lightest and the lightest wanted one are enough: of each key and its rows
      const same = `${tie} ${loose(one.row)} ${listsIn(beside, one.row, null)}`
      if (seen.has(`true ${same}`) || seen.has(`${one.wanted} ${same}`)) continue
      seen.add(`${one.wanted} ${same}`)
    }
    map.set(tie, [...(map.get(tie) ?? []), one])
  }
  return map
}

function paired(
  beside: Beside,
  old: HalfRow,
  next: HalfRow
): { readonly row: Named; readonly next: Named } | null {
  const { resource, changes } = beside.quest
  if (changes === null && !old.wanted && !next.wanted) return null
  for (const renamed of renamings(beside.names, old.row, next.row, old.barred)) {
    const rows = together(beside, old.row, renamed)
    if (rows === null) continue
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

/** An old and a new row, or null when one key would lead to two lists of related rows. */
function together({ quest, halves }: Beside, old: Named, next: Named): { row: Named; next: Named } | null {
  if (halves.links.some(({ name, local }) => old[local] === next[local] && old[name] !== next[name]))
    return null
  // a column that one half does not look at stays as it is in the other
  const row: Record<string, Named[string]> = { ...next, ...old }
  const after: Record<string, Named[string]> = { ...old, ...next }
  for (const { name, local } of quest.resource.relations) {
    // and so do the rows of its key; of another key nobody asks for them
    if (row[local] === after[local]) continue
    if (old[name] === undefined) row[name] = []
    if (next[name] === undefined) after[name] = []
  }
  return { row, next: after }
}
