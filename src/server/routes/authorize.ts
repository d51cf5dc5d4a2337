import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { InternalError } from '../../errors/errors.js'
import { answersText, answerText } from '../answer-text.js'
import type { Decider, Item } from '../decider.js'
import { InvalidBody } from '../invalid-body.js'
import type { Decision } from '../schemas.js'
import { readBatch, readQuestion } from '../validation.js'

/** What the routes need. `maxBatch` is the most questions in one request. */
export interface AuthorizeOptions {
  readonly decider: Decider
  readonly maxBatch: number
}

/**
 * `POST /authorize`: one question, or many as `evaluations` with the members beside it as defaults. The same handlers
 * answer under the paths of the AuthZEN 1.0 standard.
 */
export function authorizeRoutes(app: FastifyInstance, { decider, maxBatch }: AuthorizeOptions): void {
  const one = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const question = readQuestion(request.body)
    return answer(request, reply, decider.decide([{ question }], 'execute_all'), ([only]) => {
      if (only === undefined) throw new InternalError('a question without an answer')
      return answerText(only)
    })
  }
  const many = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { defaults, items, semantic } = readBatch(request.body, maxBatch)
    if (items.length === 0) return one(request, reply)
    const asked = items.map(item => readItem(decider, defaults, item))
    return answer(request, reply, decider.decide(asked, semantic), answersText)
  }

  app.post('/authorize', many)
  app.post('/access/v1/evaluations', many)
  app.post('/access/v1/evaluation', one)
}

/** Sends the answers as soon as they are there, which without a database is at once. */
function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  answers: readonly Decision[] | Promise<readonly Decision[]>,
  textOf: (answers: readonly Decision[]) => string
): FastifyReply {
  if (answers instanceof Promise) {
    answers.then(found => answer(request, reply, found, textOf)).catch((error: unknown) => reply.send(error))
    return reply
  }
  request.decisions = answers.length
  return reply.type('application/json; charset=utf-8').send(textOf(answers))
}

/** One item with the defaults it lacks, each taken whole. Its mistakes are its own and spoil no other item. */
function readItem(decider: Decider, defaults: Record<string, unknown>, item: unknown): Item {
  try {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      throw new InvalidBody('', 'an item of evaluations must be an object')
    }
    const own = item as Record<string, unknown>
    const member = (name: string): unknown => (Object.hasOwn(own, name) ? own[name] : defaults[name])
    const question = readQuestion({
      subject: member('subject'),
      action: member('action'),
      resource: member('resource'),
      context: member('context')
    })
    return { question }
  } catch (error) {
    if (error instanceof InvalidBody) return { answer: decider.refuse(error.message) }
    throw error
  }
}
