import { type Static, Type } from 'typebox'
import { REASON_CODES } from '../engine/request.js'

/** Names and ids longer than this are refused: no policy, uuid or table has one. In UTF-16 code units. */
const MAX_NAME = 256

const Name = Type.String({ maxLength: MAX_NAME })
/** Free members: any JSON object. Unknown members are ignored everywhere, as AuthZEN 1.0 wants. */
const Members = Type.Unsafe<Record<string, unknown>>({ type: 'object' })

const Entity = Type.Object({ type: Name, id: Name, properties: Type.Optional(Members) })

/** One question: may this subject do this action on this resource? (AuthZEN 1.0, access evaluation.) */
export const Question = Type.Object({
  subject: Entity,
  action: Type.Object({ name: Name, properties: Type.Optional(Members) }),
  resource: Entity,
  context: Type.Optional(Members)
})
/** A question that has the documented shape. */
export type Question = Static<typeof Question>

/** How a batch goes on after an answer: to the end, to the first deny, or to the first permit. */
export const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const
/** One of the three. */
export type Semantic = (typeof SEMANTICS)[number]

/**
 * The body of a batch, as far as a mistake in it spoils all of it. Items and defaults are checked one by one when they
 * have been put together, because an item's mistake is its own.
 *
 * @param maxBatch most items
 */
export const batchSchema = (maxBatch: number) =>
  Type.Object({
    evaluations: Type.Optional(Type.Array(Type.Unknown(), { maxItems: maxBatch })),
    options: Type.Optional(Type.Object({ evaluations_semantic: Type.Optional(Type.Enum([...SEMANTICS])) }))
  })

/** The answer to one question. `error` stands only on an item of a batch that is no question. */
export const Decision = Type.Object({
  decision: Type.Boolean(),
  context: Type.Object({
    reason: Type.String(),
    code: Type.Enum([...REASON_CODES, 'invalid_request']),
    rule: Type.Unsafe<string | null>({ type: 'string', nullable: true }),
    revision: Type.String(),
    error: Type.Optional(Type.Object({ status: Type.Integer(), message: Type.String() }))
  })
})
/** The answer to one question. */
export type Decision = Static<typeof Decision>

/**
 * What the batch endpoint answers: one decision where it was asked one question, else `evaluations`. Written as one
 * flat object, because the serializer would have to validate the value to choose between two.
 */
export const BatchReply = Type.Object({
  decision: Type.Optional(Decision.properties.decision),
  context: Type.Optional(Decision.properties.context),
  evaluations: Type.Optional(Type.Array(Decision))
})

/** What every refusal and fault looks like. `path` is a JSON pointer into the body. */
export const ErrorReply = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    hint: Type.Optional(Type.String()),
    path: Type.Optional(Type.String())
  })
})
/** What every refusal and fault looks like. */
export type ErrorReply = Static<typeof ErrorReply>
