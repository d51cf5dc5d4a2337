import type { Related, Values } from '../ir/evaluate.js'
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
  /** A text for each, beside a principal at a time; of those with the same text one is enough. */
  readonly signature: (
    principal: Values,
    now: PrincipalPart['now']
  ) => (relation: string) => (row: Related) => string
}

/** By relation, the related rows to choose from, each of another signature. */
type Candidates = ReadonlyMap<string, readonly Related[]>

/** The related rows beside the principals of a space. No test looks at two rows at once, so they are chosen alone. */
export interface Beside {
  readonly space: Space
  readonly candidatesFor: (principal: Values, part: PrincipalPart) => Candidates
}

/** The related rows of a space, made once for each of its principals. */
export function besideOf(space: Space, how: RelatedRows): Beside {
  const kept = new Map<number, Candidates>()
  return {
    space,
    candidatesFor: (principal, part) => {
      const known = kept.get(part.index)
      if (known !== undefined) return known
      const made = candidates(space, principal, part, how)
      kept.set(part.index, made)
      return made
    }
  }
}

/** Every choice of related rows beside a principal. */
export function listsBeside({ space, candidatesFor }: Beside, principal: Values, part: PrincipalPart): Lists {
  const rows = candidatesFor(principal, part)
  return new Map(
    space.related.map(({ relation, most }) => [relation, listsOf(rows.get(relation) ?? [], most)])
  )
}

/**
 * How many models some spaces have when of related rows with the same signature there is one.
 *
 * @param spaces with the principals and the related rows of `beside`, or some of these
 * @param most counting that takes more steps is not done: the models are then as many as the spaces say
 */
export function countDistinct(spaces: readonly Space[], beside: Beside, most: number): number {
  const { related, domains } = beside.space
  if (related.length === 0 || Number(countCandidates(domains, related)) > most) {
    return Number(spaces.reduce((sum, { size }) => sum + size, 0n))
  }
  const principal: Record<string, Value> = {}
  let size = 0n
  for (const part of principalsOf(beside.space, principal)) {
    const rows = beside.candidatesFor(principal, part)
    for (const space of spaces) size += countBeside(space, rows, part)
  }
  return Number(size)
}

function countBeside(space: Space, rows: Candidates, { used }: PrincipalPart): bigint {
  return space.related
    .map(({ relation, most }) => listCount(rows.get(relation)?.length ?? 0, most))
    .reduce((product, some) => product * some, countRows(space.domains, used))
}

/** The related rows that a principal has to choose from, one of each signature. */
function candidates(space: Space, principal: Values, part: PrincipalPart, how: RelatedRows): Candidates {
  if (space.related.length === 0) return new Map()
  const signatures = how.signature(principal, part.now)
  return new Map(
    space.related.map(one => [one.relation, distinct(space, one, part, signatures(one.relation), how)])
  )
}

function distinct(
  space: Space,
  { relation, slots }: RelatedSlots,
  { used }: PrincipalPart,
  signature: (row: Related) => string,
  { empty }: RelatedRows
): readonly Related[] {
  const kept = new Map<string, Related>()
  // filled again and again: only those that are kept are made anew
  const row = empty(relation)
  forEachChoice(space, slots, used, row, () => {
    const key = signature(row)
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
