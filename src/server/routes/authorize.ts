import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { answersText, answerText } from '../answer-text.js'
import type { Decider, Item } from '../decider.js'
import { InvalidBody } from '../invalid-body.js'
import { batchSchema, type Decision, Question, type Semantic } from '../schemas.js'
import { readQuestion } from '../validation.js'

/** What the routes need. `maxBatch` is the most questions in one request. */
export interface AuthorizeOptions {
  readonly decider: Decider
  readonly maxBatch: number
}

/** A batch with its defaults, not yet checked further than its own shape. */
type Batch = Static<ReturnType<typeof batchSchema>> & Record<string, unknown>

/**
 * `POST /authorize`: one question, or many as `evaluations` with the members beside it as defaults. The same handlers
 * answer under the paths of the AuthZEN 1.0 standard.
 */
export function authorizeRoutes(app: FastifyInstance, { decider, maxBatch }: AuthorizeOptions): void {
  const one = (request: FastifyRequest, reply: FastifyReply, question: Question): FastifyReply =>
    answer(request, reply, decider.decide([{ question }], 'execute_all'), ([only]) => {
      if (only === undefined) throw new Error('a question without an answer')
      return answerText(only)
    })
  const many = (request: FastifyRequest<{ Body: Batch }>, reply: FastifyReply): FastifyReply => {
    const { evaluations, options } = request.body
    if (evaluations === undefined || evaluations.length === 0) {
      return one(request, reply, readQuestion(request.body))
    }
    const items = evaluations.map(item => readItem(decider, request.body, item))
    const semantic: Semantic = options?.evaluations_semantic ?? 'execute_all'
    return answer(request, reply, decider.decide(items, semantic), answersText)
  }

  const batch = { schema: { body: batchSchema(maxBatch) } }
  app.post<{ Body: Batch }>('/authorize', batch, many)
  app.post<{ Body: Batch }>('/access/v1/evaluations', batch, many)
  const single = { schema: { body: Question } }
  app.post<{ Body: Question }>('/access/v1/evaluation', single, (request, reply) =>
    one(request, reply, request.body)
  )
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
