import { forEachRow, principalsOf, type Space } from '../analysis/models.js'
import { type Beside, countDistinct, listsBeside } from '../analysis/related.js'
import { anyValue } from '../analysis/sorts.js'
import type { Values } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import { type Counterexample, counterexampleOf, type Mismatch, weightOf } from './counterexample.js'
import type { GateQuestion, Opens, Side } from './sides.js'

/** A gate and all of its models. */
export interface Models {
  readonly question: Pick<GateQuestion, 'bundle' | 'resource' | 'report'>
  /** What the rules mean. */
  readonly defined: Side['opensFor']
  readonly space: Space
  readonly beside: Beside
}

/** What the comparison of all models of a gate brought. */
export interface GateOutcome {
  readonly models: number
  readonly counterexample: Counterexample | null
}

/** How many models pass between two reports of progress. */
const STRIDE = 50_000

/**
 * Asks every side about every model of a gate and keeps the smallest case in which one differs from the reference.
 *
 * @param onModels is told now and then how many models are done
 */
export function compareSides(
  { question, defined, space, beside }: Models,
  sides: readonly Side[],
  onModels: (done: number) => void
): GateOutcome {
  const { bundle, resource } = question
  const principal = watched(
    bundle.principal.map(({ name }) => name),
    name => question.report(`a lock reads principal.${name}, which the rules of its gate do not`)
  )
  const row = watched(
    [...resource.columns, ...resource.relations].map(({ name }) => name),
    name => question.report(`a lock reads resource.${name}, which the rules of its gate do not`)
  )
  let models = 0
  let smallest: Mismatch | null = null
  for (const part of principalsOf(space, principal)) {
    const expects = defined(principal, part.now)
    const asked = sides.map(side => ({
      name: side.name,
      beside: side.beside === true,
      opens: side.opensFor(principal, part.now),
      mustEqual: side.mustEqual(principal)
    }))
    const visit = () => {
      const expected = expects(row)
      if (asked.some(one => differs(one, expected, row))) {
        const weight = weightOf(principal, row)
        if (smallest === null || weight < smallest.weight) {
          const says = {
            reference: expected,
            ...Object.fromEntries(
              asked
                .filter(one => !one.beside || differs(one, expected, row))
                .map(one => [one.name, one.opens(row)])
            )
          }
          smallest = {
            weight,
            counterexample: counterexampleOf(bundle, resource, { principal, row, now: part.now }, says)
          }
        }
      }
      models++
      if (models % STRIDE === 0) onModels(models)
    }
    forEachRow(space, part, row, visit, listsBeside(beside, principal, part))
  }
  // assigned in a closure, which the compiler does not follow
  const found = smallest as Mismatch | null
  return { models, counterexample: found?.counterexample ?? null }
}

/**
 * How many models a gate has when of related rows that no side can tell apart there is one.
 *
 * @param most counting that takes more steps is not done: the models are then as many as `space` says
 */
export function sizeOf({ space, beside }: Models, most: number): number {
  return countDistinct([space], beside, most)
}

/** Whether the reference opens a gate for none of some principals, whatever the row. */
export function neverOpens(
  { defined, space, beside }: Models,
  forWhom: (principal: Values) => boolean
): boolean {
  const principal: Record<string, Value> = {}
  const row: Record<string, Values[string]> = {}
  for (const part of principalsOf(space, principal)) {
    if (!forWhom(principal)) continue
    const opens = defined(principal, part.now)
    let opened = false
    const visit = () => {
      opened ||= opens(row)
    }
    forEachRow(space, part, row, visit, listsBeside(beside, principal, part))
    if (opened) return false
  }
  return true
}

interface Asked {
  readonly opens: Opens
  readonly mustEqual: boolean
}

function differs({ opens, mustEqual }: Asked, expected: boolean, row: Values): boolean {
  // safety: in a role that was not made for the principal, too little is fine and too much is not
  return expected ? mustEqual && !opens(row) : opens(row)
}

/**
 * Makes related rows. Each has its key: the rows of a list are taken to be those that belong to the row, so the join is
 * not asked of them, and its two sides are values like others.
 */
export function relatedRowsOf({
  resource,
  report
}: Models['question']): (relation: string) => Record<string, Value> {
  const made = new Map(
    resource.relations.map(({ name: relation, columns, remote }) => {
      const names = columns.map(({ name }) => name)
      const unknown = (name: string) =>
        report(`a lock reads ${relation}.${name}, which the rules of its gate do not`)
      const type = columns.find(({ name }) => name === remote)?.type
      const key = type === undefined ? {} : { [remote]: anyValue(type, false) }
      return [relation, () => Object.assign(watched(names, unknown), key)]
    })
  )
  return relation => made.get(relation)?.() ?? {}
}

/**
 * An object for the values of models that tells when somebody reads a declared name that has none.
 * safety: a side that looked at more than the models vary would be proved on too few of them
 */
function watched(names: readonly string[], onRead: (name: string) => void): Record<string, Value> {
  const behind = Object.create(null)
  for (const name of names) {
    Object.defineProperty(behind, name, {
      get: () => {
        onRead(name)
        return null
      },
      // without a setter the first assignment of a model's value would be refused
      set(value: Value) {
        Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
      }
    })
  }
  return Object.create(behind)
}
