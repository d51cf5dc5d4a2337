import type { Now } from '../../backends/compiled.js'
import type { Values } from '../../ir/evaluate.js'
import type { Bundle, Resource } from '../../ir/model.js'
import { candidatesOf } from './candidates.js'
import { type Constraint, type Constraints, nextOf, type State } from './constraints.js'
import type { NearestGrant, Step } from './explanation.js'
import { type Meter, optionsOf, type Palette } from './steps.js'

/** What a search is about. */
export interface Sought {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly constraints: Constraints
  readonly state: State
  readonly now: Now
}

/** How far a search goes. */
export interface Limits {
  /** The most steps. */
  readonly steps: number
  /** The most requests that are tried. */
  readonly tries: number
}

/** Of grants by one step, so many are given; there may be more. */
const MAX_GRANTS = 6

/** A grant and the request that it makes. */
interface Found {
  readonly steps: readonly Step[]
  readonly state: State
}

/** What was found, and the requests that the grants make, to be decided once more. */
export interface Outcome {
  readonly nearest: NearestGrant
  readonly states: readonly State[]
}

/**
 * The shortest lists of steps after which a request is allowed: all lists of one step are tried, then of two, and so on.
 *
 * A list that does it must change something that each unmet constraint reads. So from a request one goes on with the
 * attributes of one unmet constraint, and with one step left with those that all unmet ones share. What that leaves out
 * cannot do it.
 */
export function search(sought: Sought, limits: Limits): Outcome {
  const meter: Meter = { tried: 0, cut: false }
  for (let length = 1; length <= limits.steps; length++) {
    const found = new Search(sought, { ...limits, steps: length }, meter).run()
    if (found.length > 0) {
      const grants = found.map(one => one.steps)
      return { nearest: { outcome: 'found', grants }, states: found.map(({ state }) => state) }
    }
    if (meter.cut) return { nearest: { outcome: 'too_many', steps: length - 1 }, states: [] }
  }
  return { nearest: { outcome: 'none', steps: limits.steps }, states: [] }
}

/** The lists of one length. */
class Search {
  readonly #sought: Sought
  readonly #limits: Limits
  readonly #meter: Meter
  readonly #palette: Palette
  readonly #seen = new Set<string>()
  readonly #found: Found[] = []

  constructor(sought: Sought, limits: Limits, meter: Meter) {
    const { bundle, resource, constraints, state, now } = sought
    const candidates = candidatesOf(constraints.domains, state, { now, steps: limits.steps })
    this.#sought = sought
    this.#limits = limits
    this.#meter = meter
    this.#palette = { bundle, resource, candidates, wanted: constraints.wanted, now, rows: new Map(), meter }
  }

  run(): readonly Found[] {
    this.#from(this.#sought.state, [], this.#limits.steps)
    return this.#found
  }

  #unmet(state: State): readonly Constraint[] {
    const next: Values = nextOf(state)
    return this.#sought.constraints.all.filter(one => !one.holds(state, next, this.#sought.now))
  }

  #isDone(): boolean {
    return this.#meter.cut || this.#found.length >= (this.#limits.steps === 1 ? MAX_GRANTS : 1)
  }

  #from(state: State, steps: readonly Step[], left: number): void {
    const unmet = this.#unmet(state)
    if (unmet.length === 0) {
      this.#found.push({ steps, state })
      return
    }
    if (left === 0) return
    for (const at of attributesOf(unmet, left)) {
      const granted = new Set<string>()
      for (const option of optionsOf(this.#palette, at, state)) {
        const list = [...steps, option.step]
        // another value of the same attribute is no other grant
        if (this.#isDone() || granted.has(option.step.at) || !this.#isNew(list)) continue
        const before = this.#found.length
        this.#from(option.state, list, left - 1)
        if (this.#found.length > before) granted.add(option.step.at)
      }
    }
  }

  /** Whether a list is tried for the first time, in any order of its steps. */
  #isNew(steps: readonly Step[]): boolean {
    const attributes = steps.flatMap(step =>
      step.change === 'set' || step.change === 'leave' ? step.at : []
    )
    // what was set is not set again: the shorter list did the same
    if (new Set(attributes).size < attributes.length) return false
    const key = steps
      .map(step => JSON.stringify(step))
      .sort()
      .join()
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    if (this.#meter.tried++ >= this.#limits.tries) this.#meter.cut = true
    return true
  }
}

/** Proposed changes first, then shares, then the rest of the row, and the principal last. */
function rank(at: string): number {
  return at.startsWith('changes.') ? 0 : at.startsWith('resource.') ? 1 : 2
}

/** The attributes to go on with. */
function attributesOf(unmet: readonly Constraint[], left: number): readonly string[] {
  const [first, ...rest] = [...unmet].sort((a, b) => a.reads.size - b.reads.size)
  const names = [...(first?.reads ?? [])]
  const shared = left > 1 ? names : names.filter(at => rest.every(({ reads }) => reads.has(at)))
  return shared.sort((a, b) => rank(a) - rank(b))
}
