import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { Decider, Item } from '../decider.js'
import { InvalidBody } from '../invalid-body.js'
import { BatchReply, batchSchema, Decision, Question, type Semantic } from '../schemas.js'
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
  const one = async (request: FastifyRequest, question: Question): Promise<Decision> => {
    const [answer] = await decider.decide([{ question }], 'execute_all')
    if (answer === undefined) throw new Error('a question without an answer')
    request.decisions = 1
    return answer
  }
  const many = async (request: FastifyRequest<{ Body: Batch }>): Promise<Static<typeof BatchReply>> => {
    const { evaluations, options } = request.body
    if (evaluations === undefined || evaluations.length === 0) return one(request, readQuestion(request.body))
    const items = evaluations.map(item => readItem(decider, request.body, item))
    const semantic: Semantic = options?.evaluations_semantic ?? 'execute_all'
    const answers = await decider.decide(items, semantic)
    request.decisions = answers.length
    return { evaluations: answers }
  }

  const batch = { schema: { body: batchSchema(maxBatch), response: { 200: BatchReply } } }
  app.post<{ Body: Batch }>('/authorize', batch, many)
  app.post<{ Body: Batch }>('/access/v1/evaluations', batch, many)
  const single = { schema: { body: Question, response: { 200: Decision } } }
  app.post<{ Body: Question }>('/access/v1/evaluation', single, request => one(request, request.body))
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
