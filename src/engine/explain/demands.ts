import type { Case } from '../../ir/evaluate.js'
import { changedColumns, gateDemands } from '../../ir/gates.js'
import type { Resource, Rule } from '../../ir/model.js'
import type { Prepared } from '../question.js'
import type { ExplainedColumns, ExplainedDemand, ExplainedRule, Said } from './explanation.js'
import { placeOf, type Shown, trace } from './trace.js'

/** Which values of the row as it is, and of the row as it would become, are shown. */
export type ShownRows = Readonly<Record<'old' | 'new', Shown>>

/** A question and the time at which it is asked. */
export interface Asked extends Prepared {
  readonly now: number | bigint
}

/** The case of one of the rows. */
export function caseOf({ principal, rows, now }: Asked, row: 'old' | 'new'): Case {
  return { principal, row: rows[row], now }
}

/** Every demand of the action, with its rules. */
export function explainDemands(asked: Asked, shown: ShownRows): readonly ExplainedDemand[] {
  return asked.questions.flatMap(({ gate, row }) =>
    gateDemands(asked.resource, gate).map(({ action, part, allows, forbids }) => {
      const rules = [...allows, ...forbids].map(rule =>
        explainRule(rule, part, caseOf(asked, row), shown[row])
      )
      return { action, part, row, met: isMet(rules), rules }
    })
  )
}

function explainRule(rule: Rule, part: 'when' | 'check', at: Case, shown: Shown): ExplainedRule {
  const condition = trace(rule[part], at, shown)
  return {
    rule: rule.id,
    effect: rule.effect,
    counts: counts(rule.effect, condition.truth),
    condition,
    at: placeOf(rule.span)
  }
}

function counts(effect: Rule['effect'], truth: Said): boolean | null {
  if (truth === 'hidden') return null
  return effect === 'allow' ? truth === 'true' : truth !== 'false'
}

/** Whether some rule allows and none forbids; null where that rests on what is hidden. */
function isMet(rules: readonly ExplainedRule[]): boolean | null {
  const allows = rules.filter(({ effect }) => effect === 'allow').map(one => one.counts)
  const forbids = rules.filter(({ effect }) => effect === 'forbid').map(one => one.counts)
  if (forbids.includes(true) || allows.every(one => one === false)) return false
  return allows.includes(true) && !forbids.includes(null) ? true : null
}

/** The columns that an update changes. */
export function changedOf({ resource, rows }: Asked): readonly string[] {
  return changedColumns(resource, rows.old, rows.new)
}

/** What guards the columns that an update changes. */
export function explainColumns(
  asked: Asked,
  changed: readonly string[],
  shown: ShownRows
): readonly ExplainedColumns[] {
  const { resource } = asked
  const fixed = changed.filter(column => resource.immutable.includes(column))
  const rules = guardsOf(resource, changed).map(({ columns, when, span }) => {
    const condition = trace(when, caseOf(asked, 'old'), shown.old)
    const permits = condition.truth === 'hidden' ? null : condition.truth === 'true'
    return { kind: 'rule', columns, permits, condition, at: placeOf(span) } as const
  })
  if (fixed.length === 0) return rules
  // of a hidden row nobody knows which of them the request would change
  const permits = fixed.every(column => shown.old.column(column)) ? false : null
  return [{ kind: 'immutable', columns: fixed, permits, condition: null, at: null }, ...rules]
}

/** The column rules that name one of the columns, with those that they name. */
function guardsOf({ columnRules }: Resource, changed: readonly string[]) {
  return columnRules
    .map(rule => ({ ...rule, columns: rule.columns.filter(column => changed.includes(column)) }))
    .filter(({ columns }) => columns.length > 0)
}

/** Whether the definition allows the request: every demand is met and every guard permits. */
export function allowed(
  { principal }: Asked,
  demands: readonly ExplainedDemand[],
  columns: readonly ExplainedColumns[]
): boolean {
  // safety: without an id there is no principal, and nothing is allowed
  const known = (principal['id'] ?? null) !== null
  return known && demands.every(({ met }) => met === true) && columns.every(({ permits }) => permits === true)
}
