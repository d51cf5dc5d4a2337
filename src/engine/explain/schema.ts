import { REASON_CODES } from '../request.js'

const text = { type: 'string' }
const place = {
  description: 'file:line:column of the policy, null where it is not known.',
  type: ['string', 'null']
}
const truth = {
  description: '`hidden`: it rests on a value that the asker may not read.',
  enum: ['true', 'false', 'unknown', 'hidden']
}
const values = { description: 'Values by name, as JSON carries them.', type: 'object' }
const maybeValues = {
  description: 'Values by name; null where there are none to show.',
  type: ['object', 'null']
}
const answer = { description: 'null: hidden.', type: ['boolean', 'null'] }

const closed = (properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties),
  properties
})
const list = (name: string) => ({ type: 'array', items: ref(name) })
const ref = (name: string) => ({ $ref: `#/definitions/${name}` })

const conditions = {
  constant: closed({ kind: { const: 'const' }, truth, text }),
  group: closed({ kind: { enum: ['all', 'any', 'not'] }, truth, of: list('condition') }),
  test: closed({
    kind: { const: 'test' },
    truth,
    text,
    values: {
      ...values,
      description: 'What was compared, by the text of each term. Hidden values are left out.'
    },
    why: { description: 'Why it is unknown.', type: ['string', 'null'] },
    at: place
  }),
  related: closed({
    kind: { const: 'related' },
    truth,
    text,
    relation: text,
    rows: {
      type: 'array',
      items: closed({
        row: values,
        counts: {
          description: 'A related row that the principal may not read does not count.',
          type: 'boolean'
        },
        of: ref('condition')
      })
    },
    at: place
  })
}

const steps = [
  closed({ change: { const: 'set' }, at: text, from: {}, to: {} }),
  closed({ change: { enum: ['add', 'remove'] }, at: text, value: {} }),
  closed({ change: { enum: ['add_row', 'remove_row'] }, at: text, row: values }),
  closed({ change: { const: 'leave' }, at: text })
]

const nearest = [
  closed({
    outcome: { const: 'found' },
    grants: {
      description: 'Lists of steps, each of which does it when it is applied in order. No shorter list does.',
      type: 'array',
      minItems: 1,
      items: { type: 'array', minItems: 1, items: { anyOf: steps } }
    }
  }),
  closed({
    outcome: {
      description:
        '`none`: all changes of at most so many steps were tried. `too_many`: the same, and of more there is too much to try.',
      enum: ['none', 'too_many']
    },
    steps: { type: 'integer', minimum: 0 }
  }),
  closed({
    outcome: {
      description: '`hidden`: it would tell about hidden values. `not_asked`: allowed, or no rule was asked.',
      enum: ['hidden', 'not_asked']
    }
  })
]

/** The JSON Schema (draft 07) of an explanation; shipped as schema/explanation.schema.json. */
export const EXPLANATION_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'twinrule explanation',
  description: 'Why a decision came out as it did.',
  ...closed({
    decision: { type: 'boolean' },
    code: { enum: [...REASON_CODES] },
    reason: text,
    rule: { type: ['string', 'null'] },
    revision: text,
    subject: text,
    action: text,
    resource: closed({ type: text, id: text }),
    principal: maybeValues,
    row: maybeValues,
    next: maybeValues,
    changed: { description: 'The columns that the update changes.', type: 'array', items: text },
    demands: list('demand'),
    columns: list('columns'),
    nearest: { anyOf: nearest },
    redacted: { type: 'boolean' }
  }),
  definitions: {
    condition: { anyOf: Object.values(conditions) },
    rule: closed({
      rule: text,
      effect: { enum: ['allow', 'forbid'] },
      counts: {
        ...answer,
        description: 'An allow rule counts when it is true, a forbid rule unless it is false.'
      },
      condition: ref('condition'),
      at: place
    }),
    demand: closed({
      action: text,
      part: { enum: ['when', 'check'] },
      row: { description: 'The row as it is, or as it would become.', enum: ['old', 'new'] },
      met: { ...answer, description: 'Some rule that allows counts, and none that forbids.' },
      rules: list('rule')
    }),
    columns: closed({
      kind: { enum: ['immutable', 'rule'] },
      columns: { type: 'array', items: text },
      permits: answer,
      condition: { anyOf: [ref('condition'), { type: 'null' }] },
      at: place
    })
  }
} as const
