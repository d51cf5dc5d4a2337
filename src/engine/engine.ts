import type { Values } from '../ir/evaluate.js'
import { GATES_OF_ACTION } from '../ir/gates.js'
import { ACTIONS, type Action, type Bundle, type Resource } from '../ir/model.js'
import { buildAbility, openedBy } from './ability.js'
import { changedRow, principalOf, rowOf } from './attributes.js'
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
  /** A deny for a reason that was found before the rules were asked. */
  deny(code: DenyCode, reason: string): Answer
}

/** The type of subject that the tenancy tables know. */
export const SUBJECT_TYPE = 'user'

/** Compiles the rules of a bundle into an engine. */
export function createEngine(bundle: Bundle): Engine {
  const ability = buildAbility(bundle)
  const resources: ReadonlyMap<string, Resource> = new Map(bundle.resources.map(one => [one.name, one]))
  const answer = (decision: boolean, code: ReasonCode, reason: string, rule: string | null): Answer => ({
    decision,
    context: { reason, code, rule, revision: bundle.revision }
  })
  const deny: Engine['deny'] = (code, reason) => answer(false, code, reason, null)

  const judge = (action: Action, type: string, principal: Values, old: Values, next: Values): Answer => {
    let rule: string | null = null
    for (const { gate, row } of GATES_OF_ACTION[action]) {
      const opened = openedBy(ability, gate, { type, principal, row: row === 'old' ? old : next })
      if (opened === null) {
        const which = gate === 'update_new' ? 'the row as it would become' : 'this row'
        return deny('no_rule', `no rule allows ${action} on ${type} for ${which}`)
      }
      rule ??= opened
    }
    return answer(true, 'allowed', `the rule ${rule} of ${type} allows ${action}`, rule)
  }

  return {
    bundle,
    revision: bundle.revision,
    deny,
    decide: request => {
      const resource = resources.get(request.resource.type)
      if (resource === undefined) return deny('unknown_type', 'the policy has no such resource type')
      const action = ACTIONS.find(one => one === request.action.name)
      if (action === undefined) return deny('unknown_action', `actions: ${ACTIONS.join(', ')}`)
      if (request.subject.type !== SUBJECT_TYPE) {
        return deny('unknown_subject_type', `subjects are of type ${SUBJECT_TYPE}`)
      }
      const principal = principalOf(bundle, request)
      if (!principal.ok) return deny(principal.code, principal.reason)
      const row = rowOf(resource, request)
      if (!row.ok) return deny(row.code, row.reason)
      const next = action === 'update' ? changedRow(resource, row.values, request) : row
      if (!next.ok) return deny(next.code, next.reason)
      return judge(action, resource.name, principal.values, row.values, next.values)
    }
  }
}
