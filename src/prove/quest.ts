import { readsRelated } from '../analysis/comparisons.js'
import { anyValue } from '../analysis/sorts.js'
import { InternalError } from '../errors/errors.js'
import { type Case, evaluate, type Truth } from '../ir/evaluate.js'
import type { Condition } from '../ir/formula.js'
import {
  changedColumns,
  columnBar,
  type GateQuestion,
  gateConditions,
  gateOpen,
  questionsOf
} from '../ir/gates.js'
import type { Bundle, Invariant, Resource } from '../ir/model.js'
import type { Named, PartialCase } from './counterexample.js'

/** What an invariant makes one look for: a case that its action allows and that is wanted. */
export interface Quest {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly when: Condition
  readonly questions: readonly GateQuestion[]
  /** Whether a row is of interest, by the truth of `when` on it. */
  readonly wanted: (truth: Truth) => boolean
  /** Of which one must change, and then `when` is asked of the old row alone. Null where any allowed case will do. */
  readonly changes: readonly string[] | null
}

/** A case that is allowed and wanted, with both rows of an update. Only what is looked at has a value. */
export interface Found extends PartialCase {
  readonly next: Named | null
  readonly weight: number
}

/** What a search brought. `complete` says that every case was tried; one that was found stands in any case. */
export interface Search {
  readonly found: Found | null
  readonly models: number
  readonly complete: boolean
}

/** The search that decides an invariant: for a violation, or for the one case that must be possible. */
export function questOf(bundle: Bundle, resource: Resource, invariant: Invariant): Quest {
  const { kind, when } = invariant
  const action = kind === 'only_when' ? 'update' : invariant.action
  const questions = questionsOf(bundle, action)
  if (questions === null) throw new InternalError(`an invariant about the unknown action ${action}`)
  return {
    bundle,
    resource,
    when,
    questions,
    wanted: WANTED[kind],
    changes: kind === 'only_when' ? invariant.columns : null
  }
}

const WANTED: Readonly<Record<Invariant['kind'], (truth: Truth) => boolean>> = {
  // safety: what may hold, holds for somebody; a null must not hide a violation
  never: truth => truth !== false,
  possible: truth => truth === true,
  only_when: truth => truth !== true
}

/** Whether there are an old and a new row. */
export function isUpdate({ questions }: Quest): boolean {
  return questions.some(({ gate }) => gate === 'update')
}

/** What decides whether one of the rows is allowed, column rules aside, as it was written. */
export function conditionsOf({ resource, questions }: Quest, row?: 'old' | 'new'): readonly Condition[] {
  return questions
    .filter(question => row === undefined || question.row === row)
    .flatMap(({ gate }) => gateConditions(resource, gate))
}

/** Whether it depends on rows of other tables. */
export function asksRelated(quest: Quest): boolean {
  const rules = isUpdate(quest) ? quest.resource.columnRules.map(({ when }) => when) : []
  return [...conditionsOf(quest), ...rules, quest.when].some(readsRelated)
}

/** Whether the gates about one of the rows are open. */
export function opens({ resource, questions }: Quest, row: 'old' | 'new' | undefined, at: Case): boolean {
  return questions
    .filter(question => row === undefined || question.row === row)
    .every(({ gate }) => gateOpen(resource, gate, at))
}

/** The case that a row makes beside a principal. */
export function caseOf({ principal, now }: Pick<PartialCase, 'principal' | 'now'>, row: Named): Case {
  return now === null ? { principal, row } : { principal, row, now }
}

/**
 * A case that was found, with whole rows and the columns that change, asked once more by the definition.
 *
 * @throws InternalError when it is not what was looked for: the search would be wrong, not the policy
 */
export function confirmed(quest: Quest, found: Found): Found & { readonly changed: readonly string[] } {
  const { resource, changes, when, wanted } = quest
  const row = wholeRow(resource, found.row)
  const next = found.next === null ? null : wholeRow(resource, found.next)
  const [before, after] = [caseOf(found, row), caseOf(found, next ?? row)]
  const changed = next === null ? [] : changedColumns(resource, row, next)
  const allowed =
    quest.questions.every(one => gateOpen(resource, one.gate, one.row === 'old' ? before : after)) &&
    columnBar(resource, changed, before) === null
  const asked = changes === null ? [before, after] : [before]
  const interesting = asked.some(at => wanted(evaluate(when, at)))
  if (!allowed || !interesting || (changes !== null && !changes.some(one => changed.includes(one)))) {
    throw new InternalError(`the case that was found for ${resource.name} is none`)
  }
  return { ...found, row, next, changed }
}

function wholeRow(resource: Resource, row: Named): Named {
  return Object.fromEntries(
    resource.columns.map(({ name, type, nullable }) => {
      const value = row[name]
      return [name, value === undefined ? anyValue(type, nullable) : value]
    })
  )
}
