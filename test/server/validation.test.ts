import { Ajv, type ValidateFunction } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { InvalidBody } from '../../src/server/invalid-body.js'
import { readBatch, readQuestion } from '../../src/server/validation.js'
import { batchSchema, QUESTION_SCHEMA } from '../support/question-schema.js'

const MAX_BATCH = 3
// as the service counts: in UTF-16 code units, the first mistake only
const ajv = new Ajv({ unicode: false, logger: false })

/** The pointer that ajv gives for the first mistake, null for none. */
function pathBy(check: ValidateFunction, value: unknown): string | null {
  if (check(value)) return null
  const [error] = check.errors ?? []
  const missing = error?.keyword === 'required' ? `/${String(error.params['missingProperty'])}` : ''
  return `${error?.instancePath}${missing}`
}

function pathOf(read: (value: unknown) => unknown, value: unknown): string | null {
  try {
    read(value)
    return null
  } catch (error) {
    if (error instanceof InvalidBody) return error.path
    throw error
  }
}

const odd = fc.constantFrom<unknown>(
  null,
  1,
  true,
  '',
  [],
  {},
  'x'.repeat(256),
  'x'.repeat(257),
  '\u{1f600}'.repeat(129)
)
const mostly = (usual: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd })
const name = mostly(fc.constantFrom('user', 'agent', 'read'))
const members = mostly(fc.constantFrom({}, { tenant_id: 'x' }))
/** An object that lacks a member now and then, and has one that nobody asked for. */
const object = (parts: Record<string, fc.Arbitrary<unknown>>) =>
  mostly(
    fc.oneof(
      { weight: 12, arbitrary: fc.record(parts) },
      { weight: 1, arbitrary: fc.record(parts, { requiredKeys: [] }) }
    )
  )
const entity = object({ type: name, id: name, properties: members, other: odd })
const question = object({
  subject: entity,
  action: object({ name, properties: members }),
  resource: entity,
  context: members
})

t.test('a question is what its JSON Schema says, with the same first mistake', async t => {
  const check = ajv.compile(QUESTION_SCHEMA)
  const seen = { good: 0, bad: 0 }
  fc.assert(
    fc.property(question, value => {
      const expected = pathBy(check, value)
      seen[expected === null ? 'good' : 'bad']++
      return pathOf(readQuestion, value) === expected
    }),
    { numRuns: 5000 }
  )
  t.ok(seen.good > 200 && seen.bad > 200, JSON.stringify(seen))
})

t.test('a body of many questions is what its JSON Schema says, with the same first mistake', async t => {
  const check = ajv.compile(batchSchema(MAX_BATCH))
  const semantic = fc.constantFrom('execute_all', 'deny_on_first_deny', 'permit_on_first_permit', 'all')
  const batch = object({
    evaluations: mostly(fc.array(odd, { maxLength: MAX_BATCH + 1 })),
    options: object({ evaluations_semantic: mostly(semantic) })
  })
  const seen = { good: 0, bad: 0 }
  fc.assert(
    fc.property(batch, value => {
      const expected = pathBy(check, value)
      seen[expected === null ? 'good' : 'bad']++
      return pathOf(body => readBatch(body, MAX_BATCH), value) === expected
    }),
    { numRuns: 5000 }
  )
  t.ok(seen.good > 200 && seen.bad > 200, JSON.stringify(seen))
})

t.test('a mistake is told in words, without the value', async t => {
  const entity = { type: 'user', id: '1' }
  const told: readonly (readonly [unknown, string])[] = [
    [[], 'the body must be an object'],
    [{}, 'subject is missing'],
    [{ subject: entity, action: {}, resource: entity }, 'action.name is missing'],
    [
      { subject: { ...entity, id: 7 }, action: { name: 'read' }, resource: entity },
      'subject.id must be a string'
    ],
    [
      { subject: entity, action: { name: 'x'.repeat(257) }, resource: entity },
      'action.name must not be longer than 256 characters'
    ]
  ]
  for (const [value, message] of told) t.throws(() => readQuestion(value), { message })
  t.throws(() => readBatch({ evaluations: {} }, 1), { message: 'evaluations must be an array' })
  t.throws(() => readBatch({ evaluations: [1, 2] }, 1), {
    message: 'evaluations must not have more than 1 items'
  })
  t.throws(() => readBatch({ options: { evaluations_semantic: 'all' } }, 1), {
    message:
      'options.evaluations_semantic must be one of execute_all, deny_on_first_deny, permit_on_first_permit'
  })
})
