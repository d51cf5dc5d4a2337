import type { Facts } from '../db/facts.js'
import type { Engine } from '../engine/engine.js'
import { passedCheck } from '../engine/passed.js'
import type { Answer } from '../engine/request.js'
import { InternalError, TwinruleError } from '../errors/errors.js'
import { readFacts } from './bounded-facts.js'
import { FactsNeeded } from './facts-needed.js'
import type { Decision, Question, Semantic } from './schemas.js'
import type { FactsRead } from './shared-facts.js'
import { type Planned, planFacts, withFacts } from './stored-question.js'

/** An item of a batch: a question, or the answer it gets because it is none. */
export type Item = { readonly question: Question } | { readonly answer: Decision }

/** Answers questions, about the current state of the database or about what comes with them. */
export interface Decider {
  /** The decision that a caller's mistake in an item of a batch gets. */
  refuse(message: string): Decision
  /**
   * Answers all items from one read of the facts, in their order, and stops early where the semantic says so.
   *
   * @throws DatabaseError when the facts cannot be read; InternalError when the engine fails. No answer then.
   */
  decide(items: readonly Item[], semantic: Semantic): Decision[] | Promise<Decision[]>
}

/** Builds the part of the service that is not HTTP. @param timeoutMs longest wait for the facts in milliseconds */
export function createDecider(engine: Engine, reader: FactsRead, timeoutMs: number): Decider {
  const resources = new Map(engine.bundle.resources.map(resource => [resource.name, resource]))
  return {
    refuse: refusalOf(engine),
    async decide(items, semantic) {
      const needed = new FactsNeeded()
      const steps = items.map(item =>
        'answer' in item ? item : planFacts(engine, resources, item.question, needed)
      )
      const facts = await readFacts(reader, needed.query(), {
        revision: engine.revision,
        resources,
        timeoutMs
      })
      return answersTo<Planned>(steps, semantic, step => settle(engine, step, facts))
    }
  }
}

/** Builds that of a service without a database: who may ask it is trusted with all facts. */
export function createStatelessDecider(engine: Engine): Decider {
  const check = passedCheck(engine.bundle)
  const settleOne = ({ question }: { readonly question: Question }): Decision => {
    const refusal = check(question)
    return refusal === null ? ask(engine, question) : engine.deny(refusal.code, refusal.reason)
  }
  return {
    refuse: refusalOf(engine),
    decide: (items, semantic) => answersTo(items, semantic, settleOne)
  }
}

function refusalOf({ revision }: Engine): Decider['refuse'] {
  return message => ({
    decision: false,
    context: {
      reason: message,
      code: 'invalid_request',
      rule: null,
      revision,
      error: { status: 400, message }
    }
  })
}

function answersTo<Step extends { readonly question: Question }>(
  steps: readonly (Step | { readonly answer: Decision })[],
  semantic: Semantic,
  answerTo: (step: Step) => Decision
): Decision[] {
  const answers: Decision[] = []
  for (const step of steps) {
    const answer = 'answer' in step ? step.answer : answerTo(step)
    answers.push(answer)
    if (semantic === 'deny_on_first_deny' && !answer.decision) break
    if (semantic === 'permit_on_first_permit' && answer.decision) break
  }
  return answers
}

function settle(engine: Engine, step: Planned, facts: Facts): Decision {
  const completed = withFacts(engine, step, facts)
  return 'answer' in completed ? completed.answer : ask(engine, completed.question)
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
