import { forEachRow, type Lists, type PrincipalPart } from '../analysis/models.js'
import { type Case, evaluate } from '../ir/evaluate.js'
import { columnBar } from '../ir/gates.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import type { Halves } from './halves.js'
import { caseOf, meets, opener, type Quest } from './quest.js'
import { keyFit } from './related-rows.js'
import { type Names, textOf, tieOf } from './ties.js'

/** An old or new row whose gates are open. Of rows that can do the same the lightest is kept. */
export interface HalfRow {
  readonly row: Named
  readonly weight: number
  readonly wanted: boolean
  /** Of an old row: the columns, of those that both rows have, that may not change. */
  readonly barred: readonly string[]
}

/** What is asked of the rows of an update, whoever makes it. */
export interface Pairing {
  readonly quest: Quest
  readonly halves: Halves
  readonly opens: Readonly<Record<'old' | 'new', (at: Case) => boolean>>
  readonly fits: Readonly<Record<'old' | 'new', ReturnType<typeof keyFit>>>
  /** Called for each row and each pair that is tried. */
  readonly count: () => void
}

/** The same for one principal, and the related rows beside it. */
export interface BesideOne extends Pairing {
  readonly principal: Named
  readonly part: PrincipalPart
  readonly lists: Lists
  /** Lists by number: both halves choose from the same ones. */
  readonly numbers: ReadonlyMap<unknown, number>
  readonly names: Names
}

/** What is asked of the rows of an update that a search is about. */
export function pairingOf(quest: Quest, halves: Halves, count: () => void): Pairing {
  const { old, next } = halves
  return {
    quest,
    halves,
    opens: { old: opener(quest, 'old'), new: opener(quest, 'new') },
    fits: { old: keyFit(old.space, old.relations), new: keyFit(next.space, next.relations) },
    count
  }
}

/** One principal of an update, with the lists of related rows that both of its rows choose from. */
export function besideOne(pairing: Pairing, principal: Named, part: PrincipalPart, lists: Lists): BesideOne {
  const { shared, all } = pairing.halves
  const numbers = new Map([...lists.values()].flat().map((list, i) => [list, i]))
  const names = { shared, domains: all.domains, taken: part.used }
  return { ...pairing, principal, part, lists, numbers, names }
}

/** The rows of one half whose gates are open, the lightest first. */
export function openRows(beside: BesideOne, which: 'old' | 'new'): readonly HalfRow[] {
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
    beside.count()
    if (!fits(row, part.used) || !opens(at)) return
    const interesting = asked && meets(evaluate(when, at), wanted)
    const isOld = which === 'old'
    if (isOld && changes !== null && !interesting) return
    const barred = isOld ? shared.filter(column => columnBar(resource, [column], at) !== null) : []
    // an old row that may lose the columns to nobody is no violation
    if (isOld && changes?.every(one => barred.includes(one))) return
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
function listsIn({ halves, numbers }: BesideOne, row: Named, keys: readonly string[] | null): string {
  return halves.links
    .filter(({ local }) => keys === null || keys.includes(local))
    .map(({ name }) => numbers.get(row[name]))
    .join()
}

/** What two rows have in common that can be made equal in the columns that may not change. */
export function tieWith(beside: BesideOne, row: Named, barred: readonly string[]): string {
  return `${tieOf(beside.names, row, barred)} ${listsIn(beside, row, barred)}`
}

/** The rows by what an old row must have in common with them. */
export function rowsByTie(
  beside: BesideOne,
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
    const before = map.get(tie)
    if (before === undefined) map.set(tie, [one])
    else before.push(one)
  }
  return map
}
