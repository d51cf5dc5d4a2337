import type { Scalar, Value } from '../ir/values.js'
import { type Domain, roomOfSet, type Variable } from './domain.js'

/**
 * All cases of some domains. A case is a principal and a row; of cases that differ only in the names of values that no
 * condition names, there is one (the values are taken in the order of their first use: restricted growth).
 */
export interface Space {
  readonly principal: readonly Slot[]
  readonly row: readonly Slot[]
  readonly domains: readonly Domain[]
  /** Exactly how many models there are. */
  readonly size: bigint
}

/** A variable, the number of its domain, and its choices by how many values of the domain are in use. */
interface Slot {
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
  /** The time, where some condition reads it. */
  readonly now: number | bigint | null
  readonly used: readonly number[]
}

/** Counts the cases of some domains without making any of them. */
export function spaceOf(domains: readonly Domain[]): Space {
  const slots = domains.flatMap((domain, i) =>
    domain.variables.map(variable => ({
      variable,
      domain: i,
      room: variable.type.kind === 'set' ? roomOfSet(domain, variable) : 1,
      choices: new Map<number, readonly Choice[]>()
    }))
  )
  const size = domains.reduce((product, domain) => product * countOf(domain), 1n)
  return {
    principal: slots.filter(({ variable }) => variable.side !== 'row'),
    row: slots.filter(({ variable }) => variable.side === 'row'),
    domains,
    size
  }
}

/** How many ways there are to choose the variables of a domain, by how many of its values are in use so far. */
function countOf(domain: Domain): bigint {
  let ways = new Map([[domain.named, 1n]])
  for (const variable of domain.variables) {
    const next = new Map<number, bigint>()
    const add = (used: number, more: bigint) => next.set(used, (next.get(used) ?? 0n) + more)
    for (const [used, before] of ways) {
      const free = domain.values.length - used
      if (variable.nullable) add(used, before)
      if (variable.type.kind === 'set') {
        // each value in use may be a member, and so may null
        const members = before * 2n ** BigInt(used + 1)
        const room = Math.min(free, roomOfSet(domain, variable))
        for (let grown = 0; grown <= room; grown++) add(used + grown, members)
      } else {
        add(
          used,
          before * BigInt(domain.values.slice(0, used).filter(value => mayBe(variable, value)).length)
        )
        if (free > 0) add(used + 1, before)
      }
    }
    ways = next
  }
  return [...ways.values()].reduce((sum, some) => sum + some, 0n)
}

/**
 * Every principal of a space, one after the other.
 *
 * @param into receives the values; the same object each time
 */
export function* principalsOf(space: Space, into: Record<string, Value>): Generator<PrincipalPart> {
  const used = space.domains.map(({ named }) => named)
  let now: PrincipalPart['now'] = null
  const { principal: slots } = space
  function* choose(at: number): Generator<PrincipalPart> {
    const slot = slots[at]
    if (slot === undefined) {
      yield { now, used }
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

/**
 * Calls `visit` for every row beside a principal.
 *
 * @param into receives the values before each call; the same object each time
 */
export function forEachRow(
  space: Space,
  { used: usedBefore }: PrincipalPart,
  into: Record<string, Value>,
  visit: () => void
): void {
  const used = [...usedBefore]
  const { row: slots } = space
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
      : scalarChoices(values, used).filter(({ value }) => mayBe(slot.variable, value)))
  ]
  slot.choices.set(used, made)
  return made
}

/** A clock is a safe number of microseconds, until the year 2255; a column may hold more, and infinity. */
function mayBe({ side }: Variable, value: Value): boolean {
  return side !== 'clock' || Number.isSafeInteger(value)
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
