import type { Now } from '../backends/compiled.js'
import type { Values } from '../ir/evaluate.js'
import { questionsOf } from '../ir/gates.js'
import { ACTIONS, type Bundle, type Resource } from '../ir/model.js'
import { askGate, buildAbility } from './ability.js'
import { changedRow, principalOf, rowOf } from './attributes.js'
import { type ColumnJudge, columnJudge } from './columns.js'
import { type AbilityRow, abilityFor, abilityRow, type RowAbility } from './portable.js'
import type { Answer, DecisionRequest, DenyCode, ReasonCode } from './request.js'

/** Decides requests by one policy. Holds no state beside the policy and does no I/O. */
export interface Engine {
  readonly bundle: Bundle
  readonly revision: string
  /**
   * The decision on one request, from the attributes that it carries. Never throws for what a request holds: whatever
   * is unknown or is not of its declared type denies and says so.
   */
  decide(request: DecisionRequest): Answer
  /**
   * The portable rules of one principal as a CASL ability, for application code; its `portableRules` go to a browser.
   * Ask it with a row of `row`. It knows gates: an update needs `update` of the row as it is and `update_new` of the
   * row as it would become; column rules are not part of it.
   *
   * @param attributes the principal's attributes, id included, as a request carries them
   * @throws RequestError TWR_REQUEST_INVALID when one is not of its declared type
   */
  abilityFor(attributes: Readonly<Record<string, unknown>>): RowAbility
  /** @throws RequestError TWR_REQUEST_INVALID when the type is unknown or a column is not of its declared type */
  row(type: string, attributes: Readonly<Record<string, unknown>>): AbilityRow
  /** A deny for a reason that was found before the rules were asked. */
  deny(code: DenyCode, reason: string): Answer
}

/** What an engine may be given. */
export interface EngineOptions {
  /** The time of a decision in microseconds since 1970, for rules that read `now`. By default the system's clock. */
  readonly clock?: () => number
}

/** The type of subject that the tenancy tables know. */
export const SUBJECT_TYPE = 'user'

interface Judged {
  readonly resource: Resource
  readonly columns: ColumnJudge
}

/** Compiles the rules of a bundle into an engine. */
export function createEngine(
  bundle: Bundle,
  { clock = () => Date.now() * 1000 }: EngineOptions = {}
): Engine {
  const ability = buildAbility(bundle)
  const judged: ReadonlyMap<string, Judged> = new Map(
    bundle.resources.map(resource => [resource.name, { resource, columns: columnJudge(resource) }])
  )
  const answer = (decision: boolean, code: ReasonCode, reason: string, rule: string | null): Answer => ({
    decision,
    context: { reason, code, rule, revision: bundle.revision }
  })
  const deny: Engine['deny'] = (code, reason) => answer(false, code, reason, null)

  const judge = (
    action: string,
    type: string,
    principal: Values,
    rows: Readonly<Record<'old' | 'new', Values>>,
    now: Now
  ): Answer => {
    let allowedBy: string | null = null
    for (const { gate, row } of questionsOf(bundle, action) ?? []) {
      const { open, rule } = askGate(ability, gate, { type, principal, row: rows[row], now })
      const which = gate === 'update_new' ? 'the row as it would become' : 'this row'
      if (rule === null) return deny('no_rule', `no rule allows ${action} on ${type} for ${which}`)
      if (!open)
        return answer(false, 'forbidden', `the rule ${rule} of ${type} forbids ${action} for ${which}`, rule)
      allowedBy ??= rule
    }
    if (allowedBy === null) return deny('unknown_action', 'the policy has no such action')
    return answer(true, 'allowed', `the rule ${allowedBy} of ${type} allows ${action}`, allowedBy)
  }

  return {
    bundle,
    revision: bundle.revision,
    deny,
    abilityFor: attributes => abilityFor(bundle, attributes, clock()),
    row: (type, attributes) => abilityRow(bundle, type, attributes),
    decide: request => {
      const found = judged.get(request.resource.type)
      if (found === undefined) return deny('unknown_type', 'the policy has no such resource type')
      const { resource, columns } = found
      const action = request.action.name
      const asked = questionsOf(bundle, action)
      if (asked === null) return deny('unknown_action', `actions: ${actionNames(bundle)}`)
      if (request.subject.type !== SUBJECT_TYPE) {
        return deny('unknown_subject_type', `subjects are of type ${SUBJECT_TYPE}`)
      }
      const principal = principalOf(bundle, request)
      if (!principal.ok) return deny(principal.code, principal.reason)
      const row = rowOf(resource, request)
      if (!row.ok) return deny(row.code, row.reason)
      const changes = asked.some(({ gate }) => gate === 'update')
      const next = changes ? changedRow(resource, row.values, request) : row
      if (!next.ok) return deny(next.code, next.reason)
      const now = clock()
      const verdict = judge(
        action,
        resource.name,
        principal.values,
        { old: row.values, new: next.values },
        now
      )
      if (!verdict.decision || !changes) return verdict
      const barred = columns(principal.values, row.values, next.values, now)
      return barred === null ? verdict : deny(barred.code, barred.reason)
    }
  }
}

/** The four actions and those that a policy adds, for people. */
export function actionNames(bundle: Bundle): string {
  return [...ACTIONS, ...bundle.actions.map(({ name }) => name)].join(', ')
}
