import type { FactsReader } from '../db/facts.js'
import type { Engine } from '../engine/engine.js'
import { type ExplainOptions, withoutRules } from '../engine/explain/explain.js'
import type { Explanation } from '../engine/explain/explanation.js'
import { readFacts } from './bounded-facts.js'
import { FactsNeeded } from './facts-needed.js'
import type { Question } from './schemas.js'
import { planFacts, withFacts } from './stored-question.js'

/** How a decision about a stored row is explained. */
export interface StoredOptions extends ExplainOptions {
  /** Longest wait for the facts in milliseconds. */
  readonly timeoutMs: number
}

/** Why a row that is stored is hidden or not, and may be written or not. */
export interface StoredExplanation {
  readonly explanation: Explanation
  /** The role without which the database still hides the row, because a flag of whoever asks allows it. */
  readonly enterRole: string | null
}

/**
 * Explains a decision about what the database holds at this moment, from the facts that the service decides with.
 *
 * @throws DatabaseError when the facts cannot be read, or are those of another revision
 */
export async function explainStored(
  engine: Engine,
  reader: FactsReader,
  question: Question,
  { timeoutMs, ...options }: StoredOptions
): Promise<StoredExplanation> {
  const resources = new Map(engine.bundle.resources.map(resource => [resource.name, resource]))
  const needed = new FactsNeeded()
  const step = planFacts(engine, resources, question, needed)
  const facts = await readFacts(reader, needed.query(), { revision: engine.revision, resources, timeoutMs })
  const completed = 'answer' in step ? step : withFacts(engine, step, facts)
  const redacted = options.redact === true
  if (redacted && !mayKnow(engine, completed)) {
    const answer = engine.deny('no_row', 'there is no such row, or whoever asks may not read it')
    return { explanation: withoutRules(question, answer, redacted), enterRole: null }
  }
  if ('answer' in completed) {
    return { explanation: withoutRules(question, completed.answer, redacted), enterRole: null }
  }
  const explanation = engine.explain(completed.question, options)
  return { explanation, enterRole: explanation.decision ? roleOf(engine, completed.question) : null }
}

type Completed = ReturnType<typeof withFacts>

/** safety: a row that is hidden and one that is not there are told alike to whoever may not read it */
function mayKnow(engine: Engine, completed: Completed): boolean {
  if ('answer' in completed) return completed.answer.context.code !== 'no_row'
  return engine.decide({ ...completed.question, action: { name: 'read' } }).decision
}

/** The role of the flag that allows, where nothing else does. */
function roleOf(engine: Engine, question: Question): string | null {
  const properties = question.subject.properties ?? {}
  const flags = engine.bundle.principal.filter(
    ({ name, role }) => role !== undefined && properties[name] === true
  )
  const allows = (kept: string | null) => {
    const lost = flags.filter(({ name }) => name !== kept).map(({ name }) => [name, false] as const)
    const subject = { ...question.subject, properties: { ...properties, ...Object.fromEntries(lost) } }
    return engine.decide({ ...question, subject }).decision
  }
  if (allows(null)) return null
  return flags.find(({ name }) => allows(name))?.role ?? null
}
