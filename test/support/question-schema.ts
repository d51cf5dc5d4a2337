import { SEMANTICS } from '../../src/server/schemas.js'

const name = { type: 'string', maxLength: 256 }
const members = { type: 'object' }
const object = (properties: object, required: readonly string[]) => ({
  type: 'object',
  required,
  properties
})
const entity = object({ type: name, id: name, properties: members }, ['type', 'id'])
const question = {
  subject: entity,
  action: object({ name, properties: members }, ['name']),
  resource: entity,
  context: members
}

/** What the service takes for a question, as a JSON Schema: for other servers, and to compare its own check with. */
export const QUESTION_SCHEMA = object(question, ['subject', 'action', 'resource'])

/** The same for a body of many questions that are checked with it, as a server would that does nothing item by item. */
export const BATCH_SCHEMA = object(
  { ...question, evaluations: { type: 'array', items: object(question, []) } },
  []
)

/** What the service itself asks of such a body as a whole. */
export const batchSchema = (maxItems: number) =>
  object(
    {
      evaluations: { type: 'array', maxItems },
      options: object({ evaluations_semantic: { enum: [...SEMANTICS] } }, [])
    },
    []
  )
