import { countPrincipals } from '../analysis/counting.js'
import { principalsOf } from '../analysis/models.js'
import { besideOf, countDistinct, listsBeside } from '../analysis/related.js'
import { changedColumns } from '../ir/gates.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import {
  type BesideOne,
  besideOne,
  type HalfRow,
  openRows,
  pairingOf,
  rowsByTie,
  tieWith
} from './half-rows.js'
import { halvesOf } from './halves.js'
import { admits, type Found, isPossible, type Limits, type Quest, type Search, wholeCase } from './quest.js'
import { renamings } from './ties.js'

/** What a search has met. */
interface Met {
  found: Found | null
  models: number
  doubtful: boolean
}

class TooMany extends Error {}

/**
 * Tries every update: for each principal the old rows and the new rows whose gates are open are collected, and an old
 * row is paired with the new rows that can be made equal to it in every column that may not change. So pairs that
 * differ only in what no condition sees are tried once.
 */
export function searchUpdates(quest: Quest, { maxModels, onProgress }: Limits): Search {
  const halves = halvesOf(quest)
  const beside = besideOf(halves.all, halves.related.how)
  const atLeast = countDistinct([halves.old.counted, halves.next.counted], beside, maxModels)
  if (atLeast > maxModels) return { found: null, models: atLeast, complete: false, doubtful: false }
  const met: Met = { found: null, models: 0, doubtful: false }
  const pairing = pairingOf(quest, halves, () => {
    if (++met.models > maxModels) throw new TooMany()
  })
  const mayAdmit = admits(quest)
  const all = Number(countPrincipals(halves.all.domains))
  const principal: Record<string, Value> = {}
  try {
    for (const part of principalsOf(halves.all, principal)) {
      onProgress(part.index, all)
      if (!mayAdmit({ principal, now: part.now })) continue
      pairRows(besideOne(pairing, principal, part, listsBeside(beside, principal, part)), met)
      if (quest.anyWill && met.found !== null) break
    }
    return { ...met, complete: true }
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    // safety: what was found stands; that nothing was found says nothing
    return { ...met, models: Math.max(met.models, atLeast), complete: false }
  }
}

/** Pairs the rows of one principal, and keeps the lightest pair that is wanted. */
function pairRows(beside: BesideOne, met: Met): void {
  const { quest, principal, part } = beside
  const before = openRows(beside, 'old')
  if (before.length === 0) return
  const next = openRows(beside, 'new')
  const partners = new Map<string, ReadonlyMap<string, readonly HalfRow[]>>()
  const own = weightOf(principal)
  for (const old of before) {
    const barred = old.barred.join()
    const byTie = partners.get(barred) ?? rowsByTie(beside, next, old.barred)
    partners.set(barred, byTie)
    for (const one of byTie.get(tieWith(beside, old.row, old.barred)) ?? []) {
      beside.count()
      const weight = own + old.weight + one.weight
      if (weight >= (met.found?.weight ?? Number.POSITIVE_INFINITY)) break
      const pair = paired(beside, old, one)
      if (pair === null) continue
      const found = { ...pair, principal: { ...principal }, now: part.now, weight }
      if (isPossible(quest, wholeCase(quest, found))) {
        met.found = found
        break
      }
      met.doubtful = true
    }
  }
}

function paired(
  beside: BesideOne,
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
function together({ quest, halves }: BesideOne, old: Named, next: Named): { row: Named; next: Named } | null {
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
