import { REASON_CODES } from '../../src/engine/request.js'

const context = {
  type: 'object',
  required: ['reason', 'code', 'rule', 'revision'],
  properties: {
    reason: { type: 'string' },
    code: { enum: [...REASON_CODES, 'invalid_request'] },
    rule: { type: 'string', nullable: true },
    revision: { type: 'string' },
    error: {
      type: 'object',
      required: ['status', 'message'],
      properties: { status: { type: 'integer' }, message: { type: 'string' } }
    }
  }
}
const decision = { type: 'boolean' }

/** The answer to one question, for servers that write answers by a schema. */
export const DECISION = {
  type: 'object',
  required: ['decision', 'context'],
  properties: { decision, context }
}

/** The answer to many; one flat object, because a serializer would have to validate the value to choose between two. */
export const BATCH_REPLY = {
  type: 'object',
  properties: { decision, context, evaluations: { type: 'array', items: DECISION } }
}
