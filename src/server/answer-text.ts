import { InternalError } from '../errors/errors.js'
import type { Decision } from './schemas.js'

const texts = new WeakMap<Decision, string>()

/**
 * An answer as JSON. The engine gives the same frozen object for the same answer, and its text is made once.
 *
 * @throws InternalError unless the decision is a boolean
 */
export function answerText(answer: Decision): string {
  const known = texts.get(answer)
  if (known !== undefined) return known
  // safety: nothing but true is a yes
  if (typeof answer.decision !== 'boolean') throw new InternalError('the engine gave no decision')
  const text = JSON.stringify(answer)
  if (Object.isFrozen(answer)) texts.set(answer, text)
  return text
}

/** The answers of a batch as JSON. */
export function answersText(answers: readonly Decision[]): string {
  let text = '{"evaluations":['
  for (let i = 0; i < answers.length; i++) text += (i === 0 ? '' : ',') + answerText(answers[i] as Decision)
  return `${text}]}`
}
