import { InternalError } from '../../errors/errors.js'
import { gateOpen } from '../../ir/gates.js'
import type { Bundle } from '../../ir/model.js'
import type { Refusal } from '../attributes.js'
import type { Prepared } from '../question.js'
import type { Answer, DecisionRequest } from '../request.js'
import {
  type Asked,
  allowed,
  caseOf,
  changedOf,
  explainColumns,
  explainDemands,
  type ShownRows
} from './demands.js'
import type { Explanation, JsonRow } from './explanation.js'
import { type NearestOptions, type NearestSearch, stateOf } from './nearest.js'
import { ALL_SHOWN, jsonRow, type Shown } from './trace.js'

/** How a decision is explained. */
export interface ExplainOptions extends NearestOptions {
  /**
   * Leaves out whatever the principal of the request may not read: values of a row that is hidden from it, what tests
   * of them say, and related rows that it may not read.
   */
  readonly redact?: boolean
}

/** A decision that is to be explained. */
export interface Decided {
  readonly bundle: Bundle
  readonly request: DecisionRequest
  readonly prepared: Prepared | Refusal
  readonly answer: Answer
  readonly now: number | bigint
  readonly nearest: NearestSearch
}

/**
 * Explains a decision by the reference interpreter.
 *
 * @throws InternalError when the explanation does not come to the decision
 */
export function explain(decided: Decided, options: ExplainOptions): Explanation {
  const { bundle, request, prepared, answer, now } = decided
  const redacted = options.redact === true
  const unasked = withoutRules(request, answer, redacted)
  if ('code' in prepared) return unasked
  const asked: Asked = { ...prepared, now }
  const shown = redacted ? shownTo(asked) : EVERYTHING
  const whole = partsOf(asked, EVERYTHING)
  assertSame(asked, whole, answer)
  return {
    ...unasked,
    principal: jsonRow(
      bundle.principal.map(one => ({ ...one, nullable: true })),
      asked.principal
    ),
    row: isStored(asked) ? visibleRow(asked, 'old', shown) : null,
    next: asked.changes || !isStored(asked) ? visibleRow(asked, 'new', shown) : null,
    ...(redacted ? partsOf(asked, shown) : whole),
    nearest: nearestOf(decided, asked, shown, options)
  }
}

/** What there is to say of a decision for which no rule was asked: a wrong type, a row that is not there. */
export function withoutRules(
  { subject, action, resource }: DecisionRequest,
  { decision, context }: Answer,
  redacted: boolean
): Explanation {
  return {
    decision,
    code: context.code,
    reason: context.reason,
    rule: context.rule,
    revision: context.revision,
    subject: subject.id,
    action: action.name,
    resource: { type: resource.type, id: resource.id },
    redacted,
    principal: null,
    row: null,
    next: null,
    changed: [],
    demands: [],
    columns: [],
    nearest: { outcome: 'not_asked' }
  }
}

const EVERYTHING: ShownRows = { old: ALL_SHOWN, new: ALL_SHOWN }

type Parts = Pick<Explanation, 'changed' | 'demands' | 'columns'>

function partsOf(asked: Asked, shown: ShownRows): Parts {
  const changed = changedColumnsOf(asked, shown)
  const columns = asked.changes ? explainColumns(asked, changed, shown) : []
  return { changed, demands: explainDemands(asked, shown), columns }
}

/** safety: an explanation of another decision than the one that was made would be worse than none */
function assertSame(asked: Asked, { demands, columns }: Parts, { decision, context }: Answer): void {
  const rules = demands.flatMap(one => one.rules)
  const named =
    context.rule === null ||
    rules.some(({ rule, effect, counts }) => {
      return rule === context.rule && counts === true && (effect === 'allow') === decision
    })
  if (allowed(asked, demands, columns) === decision && named) return
  throw new InternalError(`the explanation of ${asked.action} on ${asked.resource.name} is not the decision`)
}

/** Whether it is about a row that exists. */
function isStored({ questions }: Asked): boolean {
  return questions.some(({ row }) => row === 'old')
}

/** What the principal may see. It knows what it sent itself, and of the row as it is what the read rules allow. */
function shownTo(asked: Asked): ShownRows {
  const open: Shown = { ...ALL_SHOWN, unreadable: false }
  if (!isStored(asked) || gateOpen(asked.resource, 'read', caseOf(asked, 'old')))
    return { old: open, new: open }
  const isSent = (name: string) => asked.sent.includes(name)
  const nothing = () => false
  return {
    old: { column: nothing, relation: nothing, unreadable: false },
    new: { column: isSent, relation: isSent, unreadable: false }
  }
}

function isHidden({ resource }: Asked, { old }: ShownRows): boolean {
  return !resource.columns.some(({ name }) => old.column(name))
}

function changedColumnsOf(asked: Asked, shown: ShownRows): readonly string[] {
  if (!asked.changes) return []
  if (!isHidden(asked, shown)) return changedOf(asked)
  // safety: which of the proposed values are new tells what the old ones are
  return asked.resource.columns.map(({ name }) => name).filter(name => asked.sent.includes(name))
}

function visibleRow(asked: Asked, which: 'old' | 'new', shown: ShownRows): JsonRow | null {
  const columns = asked.resource.columns.filter(({ name }) => shown[which].column(name))
  return columns.length === 0 && asked.resource.columns.length > 0
    ? null
    : jsonRow(columns, asked.rows[which])
}

function nearestOf(
  { nearest, request, answer }: Decided,
  asked: Asked,
  shown: ShownRows,
  options: ExplainOptions
): Explanation['nearest'] {
  if (answer.decision) return { outcome: 'not_asked' }
  // safety: which change is the smallest tells about the row, and about related rows that are not shown
  const tells = isHidden(asked, shown) || asked.resource.relations.some(({ readable }) => readable !== null)
  if (options.redact === true && tells) return { outcome: 'hidden' }
  return nearest(request, stateOf(asked), asked, options)
}
