import type { Facts, FactsReader, PrincipalFacts } from '../db/facts.js'
import type { Engine } from '../engine/engine.js'
import { actionNames, SUBJECT_TYPE } from '../engine/question.js'
import type { Answer } from '../engine/request.js'
import { InternalError, TwinruleError } from '../errors/errors.js'
import { type GateQuestion, questionsOf } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import { readFacts } from './bounded-facts.js'
import { FactsNeeded, rowKey, storedId } from './facts-needed.js'
import type { Decision, Question, Semantic } from './schemas.js'

/** An item of a batch: a question, or the answer it gets because it is none. */
export type Item = { readonly question: Question } | { readonly answer: Decision }

/** Answers questions about the current state of the database. */
export interface Decider {
  /** The decision that a caller's mistake in an item of a batch gets. */
  refuse(message: string): Decision
  /**
   * Answers all items from one read of the facts, in their order, and stops early where the semantic says so.
   *
   * @throws DatabaseError when the facts cannot be read; InternalError when the engine fails. No answer then.
   */
  decide(items: readonly Item[], semantic: Semantic): Promise<Decision[]>
}

/** Where the row of a question comes from. `stored` is a place in the facts, null when no such row can exist. */
type Row = { readonly given: Record<string, unknown> } | { readonly stored: number | null }
/** A question with the places of its facts, or its answer when no fact can change it. */
type Step =
  | { readonly answer: Decision }
  | { readonly question: Question; readonly subject: number; readonly row: Row }

const REASONS = {
  unknown_subject: 'there is no active subject with this id',
  no_tenant: 'the subject is not an active member of any active tenant',
  several_tenants:
    'the subject has several tenants and no default: say which in subject.properties.tenant_id',
  not_a_member: 'the subject is not an active member of this tenant, or the tenant is not active'
} as const satisfies Record<Exclude<PrincipalFacts['status'], 'member'>, string>

/** Builds the part of the service that is not HTTP. @param timeoutMs longest wait for the facts in milliseconds */
export function createDecider(engine: Engine, reader: FactsReader, timeoutMs: number): Decider {
  const resources = new Map(engine.bundle.resources.map(resource => [resource.name, resource]))
  return {
    refuse: message => ({
      decision: false,
      context: {
        reason: message,
        code: 'invalid_request',
        rule: null,
        revision: engine.revision,
        error: { status: 400, message }
      }
    }),
    async decide(items, semantic) {
      const needed = new FactsNeeded()
      const steps = items.map(item =>
        'answer' in item ? item : plan(engine, resources, item.question, needed)
      )
      const facts = await readFacts(reader, needed.query(), {
        revision: engine.revision,
        resources,
        timeoutMs
      })
      const answers: Decision[] = []
      for (const step of steps) {
        const answer = 'answer' in step ? step.answer : settle(engine, step, facts)
        answers.push(answer)
        if (semantic === 'deny_on_first_deny' && !answer.decision) break
        if (semantic === 'permit_on_first_permit' && answer.decision) break
      }
      return answers
    }
  }
}

/** What a question needs to know. Asks for no fact when the answer is a deny whatever the database says. */
function plan(
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
  const tenantId = typeof tenant === 'string' ? storedId(tenant) : null
  if (tenant !== null && tenantId === null) {
    return { answer: engine.deny('invalid_attribute', 'subject.properties.tenant_id must be a uuid') }
  }
  const id = storedId(subject.id)
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

function settle(engine: Engine, step: Exclude<Step, { answer: Decision }>, facts: Facts): Decision {
  const { question, row } = step
  const found = facts.principals[step.subject]
  if (found === undefined) throw new InternalError('a question lost its subject')
  if (found.status !== 'member') return engine.deny(found.status, REASONS[found.status])
  const properties = 'given' in row ? row.given : row.stored === null ? null : facts.rows[row.stored]
  if (properties === undefined) throw new InternalError('a question lost its row')
  if (properties === null) return engine.deny('no_row', `there is no ${question.resource.type} with this id`)
  const { subject, resource } = question
  return ask(engine, {
    ...question,
    // safety: the stored facts replace what the caller said about the subject, so no claim of a role or flag gets in
    subject: { type: subject.type, id: subject.id, properties: found.principal },
    resource: { type: resource.type, id: resource.id, properties }
  })
}

function ask(engine: Engine, question: Question): Answer {
  try {
    const answer = engine.decide(question)
    // safety: the serializer writes any truthy value as true
    if (typeof answer.decision !== 'boolean') throw new InternalError('the engine gave no decision')
    return answer
  } catch (error) {
    throw error instanceof TwinruleError ? error : new InternalError('the engine failed', error)
  }
}
