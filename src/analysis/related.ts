import type { Related } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import { countCandidates, countRows, listCount } from './counting.js'
import {
  forEachChoice,
  type Lists,
  type PrincipalPart,
  principalsOf,
  type RelatedSlots,
  type Space
} from './models.js'

/** How related rows are made before they are put into lists. */
export interface RelatedRows {
  /** Makes an empty one, to be filled. */
  readonly empty: (relation: string) => Record<string, Value>
  /** A text for each; of those with the same text one is enough. */
  readonly signature: (relation: string) => (row: Related) => string
}

/** Every choice of related rows beside a principal. No test looks at two rows at once, so they are chosen alone. */
export function listsBeside(space: Space, part: PrincipalPart, how: RelatedRows): Lists {
  return new Map(
    space.related.map(one => [one.relation, listsOf(candidates(space, one, part, how), one.most)])
  )
}

/** How many models a principal has, when its related rows are chosen so. */
export function countBeside(space: Space, part: PrincipalPart, how: RelatedRows): bigint {
  return space.related
    .map(one => listCount(candidates(space, one, part, how).length, one.most))
    .reduce((product, some) => product * some, countRows(space.domains, part.used))
}

/**
 * How many models there are when of related rows with the same signature there is one.
 *
 * @param howFor how the rows of the principal at hand are made
 * @param most counting that takes more steps is not done: the models are then as many as `space` says
 */
export function countDistinct(
  space: Space,
  principal: Record<string, Value>,
  howFor: (part: PrincipalPart) => RelatedRows,
  most: number
): number {
  const all = Number(space.size)
  if (space.related.length === 0 || Number(countCandidates(space.domains, space.related)) > most) return all
  let size = 0n
  for (const part of principalsOf(space, principal)) size += countBeside(space, part, howFor(part))
  return Number(size)
}

/** The related rows of one relation that a principal has to choose from, one of each signature. */
function candidates(
  space: Space,
  { relation, slots }: RelatedSlots,
  { used }: PrincipalPart,
  { empty, signature }: RelatedRows
): readonly Related[] {
  const signed = signature(relation)
  const kept = new Map<string, Related>()
  // filled again and again: only those that are kept are made anew
  const row = empty(relation)
  forEachChoice(space, slots, used, row, () => {
    const key = signed(row)
    if (!kept.has(key)) kept.set(key, Object.assign(empty(relation), row))
  })
  return [...kept.values()]
}

/** Every list of at most so many different rows; their order has no meaning. */
function listsOf(rows: readonly Related[], most: number): readonly (readonly Related[])[] {
  if (most === 0) return [[]]
  const longer = rows.flatMap((row, i) => listsOf(rows.slice(i + 1), most - 1).map(list => [row, ...list]))
  return [[], ...longer]
}
