import type { Comparison } from '../analysis/comparisons.js'
import { comparisonsOf } from '../analysis/comparisons.js'
import { mayBe } from '../analysis/possible.js'
import type { Wanted } from '../analysis/witnesses.js'
import { InternalError } from '../errors/errors.js'
import { type Case, evaluate, type Truth } from '../ir/evaluate.js'
import type { Condition } from '../ir/formula.js'
import {
  changedColumns,
  columnBar,
  type GateQuestion,
  gateCondition,
  gateOpener,
  questionsOf
} from '../ir/gates.js'
import type { Bundle, Invariant, Resource } from '../ir/model.js'
import { completed } from './completion.js'
import type { Named, PartialCase } from './counterexample.js'
import { canArise, type Demand } from './related-rows.js'

/** What an invariant makes one look for: a case that its action allows and that is wanted. */
export interface Quest {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly when: Condition
  readonly questions: readonly GateQuestion[]
  /** What `when` is in a case of interest. */
  readonly wanted: Wanted
  /** Of which one must change, and then `when` is asked of the old row alone. Null where any allowed case will do. */
  readonly changes: readonly string[] | null
  /** Whether it is enough that there is a case. Else the smallest is sought. */
  readonly anyWill: boolean
}

/** A case that is allowed and wanted, with both rows of an update. Only what is looked at has a value. */
export interface Found extends PartialCase {
  readonly next: Named | null
  readonly weight: number
}

/** What a search brought. */
export interface Search {
  readonly found: Found | null
  readonly models: number
  /** Whether every case was tried; one that was found stands in any case. */
  readonly complete: boolean
  /** Whether there was a case that perhaps no tables can hold. */
  readonly doubtful: boolean
}

/** The limit of a search, and who is told how many of the principals are done. */
export interface Limits {
  readonly maxModels: number
  readonly onProgress: (done: number, all: number) => void
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
    changes: kind === 'only_when' ? invariant.columns : null,
    anyWill: kind === 'possible'
  }
}

const WANTED: Readonly<Record<Invariant['kind'], Wanted>> = {
  // safety: what may hold, holds for somebody; a null must not hide a violation
  never: 'not false',
  possible: 'true',
  only_when: 'not true'
}

/** Whether a condition is what was wanted of it. */
export function meets(truth: Truth, wanted: Wanted): boolean {
  switch (wanted) {
    case 'true':
    case 'false':
      return truth === (wanted === 'true')
    case 'not true':
    case 'not false':
      return truth !== (wanted === 'not true')
  }
}

/** Whether there are an old and a new row. */
export function isUpdate({ questions }: Quest): boolean {
  return questions.some(({ gate }) => gate === 'update')
}

/** What is demanded of one of the rows: that its gates are open, and what the invariant and the column rules ask. */
export function demandsOf(quest: Quest, row?: 'old' | 'new'): readonly Demand[] {
  const { resource, questions, when, wanted, changes } = quest
  const gates = questions.filter(question => row === undefined || question.row === row)
  const rules = row === 'old' ? resource.columnRules : []
  return [
    ...gates.map(({ gate }) => ({ condition: gateCondition(resource, gate), wanted: 'true' }) as const),
    ...rules.map(rule => ({ condition: rule.when, wanted: 'true' }) as const),
    ...(row === 'new' && changes !== null ? [] : [{ condition: when, wanted }])
  ]
}

/** Every comparison of some demands. */
export function comparisonsIn(demands: readonly Demand[]): readonly Comparison[] {
  return demands.flatMap(({ condition }) => comparisonsOf(condition))
}

/** Whether the gates about one of the rows are open. */
export function opener({ resource, questions }: Quest, row?: 'old' | 'new'): (at: Case) => boolean {
  const gates = questions
    .filter(question => row === undefined || question.row === row)
    .map(({ gate }) => gateOpener(resource, gate))
  return at => gates.every(opens => opens(at))
}

/** Whether a principal may have a case at all: what no row can change is asked once for all rows. */
export function admits({ resource, questions, when, wanted }: Quest): (who: Who) => boolean {
  const gates = questions.map(({ gate }) => gateCondition(resource, gate))
  return ({ principal, now }) => {
    const who = now === null ? { principal } : { principal, now }
    return gates.every(one => mayBe(one, 'true', who)) && mayBe(when, wanted, who)
  }
}

type Who = Pick<PartialCase, 'principal' | 'now'>

/** The case that a row makes beside a principal. */
export function caseOf({ principal, now }: Who, row: Named): Case {
  return now === null ? { principal, row } : { principal, row, now }
}

/** A case with whole rows, and the columns that change. */
export interface WholeCase extends Found {
  readonly changed: readonly string[]
}

/** A case that was found, with whole rows. */
export function wholeCase({ resource }: Quest, found: Found): WholeCase {
  const { row, next } = completed(resource, found.row, found.next)
  return { ...found, row, next, changed: next === null ? [] : changedColumns(resource, row, next) }
}

/** Whether a whole case is what was looked for, by the definition. */
export function isSought(quest: Quest, { row, next, changed, ...who }: WholeCase): boolean {
  const { resource, changes, when, wanted } = quest
  const [before, after] = [caseOf(who, row), caseOf(who, next ?? row)]
  const asked = changes === null ? [before, after] : [before]
  return (
    quest.questions.every(one => gateOpener(resource, one.gate)(one.row === 'old' ? before : after)) &&
    columnBar(resource, changed, before) === null &&
    asked.some(at => meets(evaluate(when, at), wanted)) &&
    (changes === null || changes.some(one => changed.includes(one)))
  )
}

/** Whether tables can hold a case. */
export function isPossible({ resource }: Quest, { row, next }: WholeCase): boolean {
  return canArise(resource, next === null ? [row] : [row, next])
}
