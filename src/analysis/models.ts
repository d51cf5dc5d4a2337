import { InternalError } from '../errors/errors.js'
import type { Related, Values } from '../ir/evaluate.js'
import type { Scalar, Value } from '../ir/values.js'
import { countModels, mayBe, type RelatedLists } from './counting.js'
import { type Domain, roomOfSet, type Variable } from './domain.js'

/**
 * All cases of some domains. A case is a principal and a row; of cases that differ only in the names of values that no
 * condition names, there is one (the values are taken in the order of their first use: restricted growth).
 */
export interface Space {
  readonly principal: readonly Slot[]
  readonly row: readonly Slot[]
  readonly related: readonly RelatedSlots[]
  readonly domains: readonly Domain[]
  /** Exactly how many models there are. */
  readonly size: bigint
}

/** The columns of the related rows of one relation. */
export interface RelatedSlots extends RelatedLists {
  readonly slots: readonly Slot[]
}

/** A variable, the number of its domain, and its choices by how many values of the domain are in use. */
export interface Slot {
  readonly variable: Variable
  readonly domain: number
  readonly room: number
  readonly choices: Map<number, readonly Choice[]>
}

interface Choice {
  readonly value: Value
  /** How many values of the domain are in use after this choice. */
  readonly used: number
}

/** A chosen principal and time, and what the rows beside it may build on. Only valid until the next one is asked for. */
export interface PrincipalPart {
  /** The number of principals before this one. */
  readonly index: number
  /** The time, where some condition reads it. */
  readonly now: number | bigint | null
  readonly used: readonly number[]
}

/**
 * Counts the cases of some domains without making any of them.
 *
 * @param lists the relations that conditions speak of, and how many related rows a case has at most
 */
export function spaceOf(domains: readonly Domain[], lists: readonly RelatedLists[] = []): Space {
  const slots = domains.flatMap((domain, i) =>
    domain.variables.map(variable => ({
      variable,
      domain: i,
      room: variable.type.kind === 'set' ? roomOfSet(domain, variable) : 1,
      choices: new Map<number, readonly Choice[]>()
    }))
  )
  return {
    principal: slots.filter(({ variable: { side } }) => side === 'principal' || side === 'clock'),
    row: slots.filter(({ variable }) => variable.side === 'row'),
    related: lists.map(list => ({
      ...list,
      slots: slots.filter(({ variable }) => variable.relation === list.relation)
    })),
    domains,
    size: countModels(domains, lists)
  }
}

/**
 * Every principal of a space, one after the other.
 *
 * @param into receives the values; the same object each time
 */
export function* principalsOf(space: Space, into: Record<string, Value>): Generator<PrincipalPart> {
  const used = space.domains.map(({ named }) => named)
  let now: PrincipalPart['now'] = null
  let index = 0
  const { principal: slots } = space
  function* choose(at: number): Generator<PrincipalPart> {
    const slot = slots[at]
    if (slot === undefined) {
      yield { index: index++, now, used }
      return
    }
    const before = used[slot.domain] ?? 0
    for (const choice of choicesOf(space, slot, before)) {
      if (slot.variable.side === 'clock') now = choice.value as PrincipalPart['now']
      else into[slot.variable.name] = choice.value
      used[slot.domain] = choice.used
      yield* choose(at + 1)
    }
    used[slot.domain] = before
  }
  yield* choose(0)
}

/** By relation, every list of related rows that a row may have beside a principal. */
export type Lists = ReadonlyMap<string, readonly (readonly Related[])[]>

const NO_LISTS: Lists = new Map()

/**
 * Calls `visit` for every row beside a principal, with every choice of related rows.
 *
 * @param into receives the values before each call; the same object each time
 * @param lists of each relation of the space
 */
export function forEachRow(
  space: Space,
  { used }: PrincipalPart,
  into: Record<string, Values[string]>,
  visit: () => void,
  lists = NO_LISTS
): void {
  const relate = (at: number): void => {
    const one = space.related[at]
    if (one === undefined) {
      visit()
      return
    }
    const choices = lists.get(one.relation)
    // safety: rows that nobody made are not the same as none
    if (choices === undefined) throw new InternalError(`no related rows of ${one.relation}`)
    for (const list of choices) {
      into[one.relation] = list
      relate(at + 1)
    }
  }
  forEachChoice(space, space.row, used, into as Record<string, Value>, () => relate(0))
}

/** Calls `visit` with every choice of some slots. */
export function forEachChoice(
  space: Space,
  slots: readonly Slot[],
  usedBefore: readonly number[],
  into: Record<string, Value>,
  visit: () => void
): void {
  const used = [...usedBefore]
  const choose = (at: number): void => {
    const slot = slots[at]
    if (slot === undefined) {
      visit()
      return
    }
    const before = used[slot.domain] ?? 0
    for (const choice of choicesOf(space, slot, before)) {
      into[slot.variable.name] = choice.value
      used[slot.domain] = choice.used
      choose(at + 1)
    }
    used[slot.domain] = before
  }
  choose(0)
}

function choicesOf({ domains }: Space, slot: Slot, used: number): readonly Choice[] {
  const known = slot.choices.get(used)
  if (known !== undefined) return known
  const values = domains[slot.domain]?.values ?? []
  const made = [
    ...(slot.variable.nullable ? [{ value: null, used }] : []),
    ...(slot.variable.type.kind === 'set'
      ? setChoices(values, used, slot.room)
      : scalarChoices(values, used).filter(({ value }) => mayBe(slot.variable, value as Scalar)))
  ]
  slot.choices.set(used, made)
  return made
}

/** A value in use, or the next one. */
function scalarChoices(values: readonly Scalar[], used: number): readonly Choice[] {
  return values.slice(0, used + 1).map((value, i) => ({ value, used: Math.max(used, i + 1) }))
}

/** Some of the values in use, none or some of the next ones, and null or not. */
function setChoices(values: readonly Scalar[], used: number, room: number): readonly Choice[] {
  const made: Choice[] = []
  for (let grown = 0; grown <= Math.min(values.length - used, room); grown++) {
    const added = values.slice(used, used + grown)
    for (let mask = 0; mask < 2 ** used; mask++) {
      const kept = values.slice(0, used).filter((_, i) => Math.floor(mask / 2 ** i) % 2 === 1)
      const members = [...kept, ...added]
      made.push({ value: Object.freeze(members), used: used + grown })
      made.push({ value: Object.freeze([...members, null]), used: used + grown })
    }
  }
  return made
}
