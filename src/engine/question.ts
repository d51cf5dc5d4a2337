import type { Values } from '../ir/evaluate.js'
import { type GateQuestion, questionsOf } from '../ir/gates.js'
import { ACTIONS, type Bundle, type Resource } from '../ir/model.js'
import { changedRow, principalOf, type Refusal, rowOf } from './attributes.js'
import type { DecisionRequest } from './request.js'

/** The type of subject that the tenancy tables know. */
export const SUBJECT_TYPE = 'user'

/** A request that the rules can be asked about: what it asks, of which canonical values. */
export interface Prepared {
  readonly resource: Resource
  readonly action: string
  readonly questions: readonly GateQuestion[]
  readonly principal: Values
  /** The row as it is, and as it would become: the same one where nothing changes. */
  readonly rows: Readonly<Record<'old' | 'new', Values>>
  /** Whether it asks about a change, so that columns are judged too. */
  readonly changes: boolean
  /** The columns and relations that the proposed change names. */
  readonly sent: readonly string[]
}

/** A request made ready for the rules, or why it is denied before they are asked. */
export function prepare(
  bundle: Bundle,
  resources: ReadonlyMap<string, Resource>,
  request: DecisionRequest
): Prepared | Refusal {
  const resource = resources.get(request.resource.type)
  if (resource === undefined) return { code: 'unknown_type', reason: 'the policy has no such resource type' }
  const action = request.action.name
  const questions = questionsOf(bundle, action)
  if (questions === null) return { code: 'unknown_action', reason: `actions: ${actionNames(bundle)}` }
  if (request.subject.type !== SUBJECT_TYPE) {
    return { code: 'unknown_subject_type', reason: `subjects are of type ${SUBJECT_TYPE}` }
  }
  const principal = principalOf(bundle, request)
  if (!principal.ok) return principal
  const row = rowOf(resource, request)
  if (!row.ok) return row
  const changes = questions.some(({ gate }) => gate === 'update')
  const next = changes ? changedRow(resource, row.values, request) : row
  if (!next.ok) return next
  const rows = { old: row.values, new: next.values }
  const sent = changes ? Object.keys(request.action.properties?.['changes'] ?? {}) : []
  return { resource, action, questions, principal: principal.values, rows, changes, sent }
}

/** The four actions and those that a policy adds, for people. */
export function actionNames(bundle: Bundle): string {
  return [...ACTIONS, ...bundle.actions.map(({ name }) => name)].join(', ')
}
