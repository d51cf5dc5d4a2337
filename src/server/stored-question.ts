import type { Facts, PrincipalFacts } from '../db/facts.js'
import type { Engine } from '../engine/engine.js'
import { actionNames, SUBJECT_TYPE } from '../engine/question.js'
import type { Answer } from '../engine/request.js'
import { InternalError } from '../errors/errors.js'
import { type GateQuestion, questionsOf } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import { canonicalUuid } from '../ir/uuid.js'
import { type FactsNeeded, rowKey } from './facts-needed.js'
import type { Question } from './schemas.js'

/** Where the row of a question comes from. `stored` is a place in the facts, null when no such row can exist. */
type Row = { readonly given: Record<string, unknown> } | { readonly stored: number | null }
/** A question with the places of its facts. */
export interface Planned {
  readonly question: Question
  readonly subject: number
  readonly row: Row
}
/** Such a question, or its answer when no fact can change it. */
export type Step = { readonly answer: Answer } | Planned

/** Why there is no principal, for people. */
export const REASONS = {
  unknown_subject: 'there is no active subject with this id',
  no_tenant: 'the subject is not an active member of any active tenant',
  several_tenants:
    'the subject has several tenants and no default: say which in subject.properties.tenant_id',
  not_a_member: 'the subject is not an active member of this tenant, or the tenant is not active'
} as const satisfies Record<Exclude<PrincipalFacts['status'], 'member'>, string>

/** What a question needs to know. Asks for no fact when the answer is a deny whatever the database says. */
export function planFacts(
  engine: Engine,
  resources: ReadonlyMap<string, Resource>,
  question: Question,
  needed: FactsNeeded
): Step {
  const { subject, action } = question
  const resource = resources.get(question.resource.type)
  if (resource === undefined) {
    return { answer: engine.deny('unknown_type', 'the policy has no such resource type') }
  }
  const asked = questionsOf(engine.bundle, action.name)
  if (asked === null) {
    return { answer: engine.deny('unknown_action', `actions: ${actionNames(engine.bundle)}`) }
  }
  if (subject.type !== SUBJECT_TYPE) {
    return { answer: engine.deny('unknown_subject_type', `subjects are of type ${SUBJECT_TYPE}`) }
  }
  const tenant = subject.properties?.['tenant_id'] ?? null
  const tenantId = typeof tenant === 'string' ? canonicalUuid(tenant) : null
  if (tenant !== null && tenantId === null) {
    return { answer: engine.deny('invalid_attribute', 'subject.properties.tenant_id must be a uuid') }
  }
  const id = canonicalUuid(subject.id)
  if (id === null) return { answer: engine.deny('unknown_subject', REASONS.unknown_subject) }
  return { question, subject: needed.subject(id, tenantId), row: rowOf(resource, question, asked, needed) }
}

function rowOf(
  type: Resource,
  { resource }: Question,
  asked: readonly GateQuestion[],
  needed: FactsNeeded
): Row {
  const given = resource.properties ?? {}
  // an action that asks of the new row alone, like create, is about a row that is not stored yet
  const asksStored = type.table !== null && asked.some(({ row }) => row === 'old')
  if (!asksStored || Object.keys(given).length > 0) return { given }
  const id = rowKey(type, resource.id)
  return { stored: id === null ? null : needed.resource(type.name, id) }
}

/** The question with what is stored, or the answer that it gets because that is not there. */
export function withFacts(
  engine: Engine,
  { question, subject: place, row }: Planned,
  facts: Facts
): { readonly answer: Answer } | { readonly question: Question } {
  const found = facts.principals[place]
  if (found === undefined) throw new InternalError('a question lost its subject')
  if (found.status !== 'member') return { answer: engine.deny(found.status, REASONS[found.status]) }
  const properties = 'given' in row ? row.given : row.stored === null ? null : facts.rows[row.stored]
  if (properties === undefined) throw new InternalError('a question lost its row')
  if (properties === null) {
    return { answer: engine.deny('no_row', `there is no ${question.resource.type} with this id`) }
  }
  const { subject, resource } = question
  return {
    question: {
      ...question,
      // safety: the stored facts replace what the caller said about the subject, so no claim of a role or flag gets in
      subject: { type: subject.type, id: subject.id, properties: found.principal },
      resource: { type: resource.type, id: resource.id, properties }
    }
  }
}
