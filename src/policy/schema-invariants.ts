import { ACTIONS } from '../ir/model.js'
import { condition } from './schema-parts.js'

const resources = {
  description: 'The resources it is demanded of; by default all that declare the columns it reads.',
  type: 'array',
  minItems: 1,
  uniqueItems: true,
  items: { type: 'string' },
  examples: [['workflow']]
}

const action = { description: 'The action that is meant.', type: 'string', examples: [...ACTIONS] }

const changed = {
  description: 'The columns that an update may change under this condition only.',
  type: 'array',
  minItems: 1,
  uniqueItems: true,
  items: { type: 'string' },
  examples: [['tenant_id']]
}

function demand(description: string, required: readonly string[], properties: object, example: object) {
  const all = { ...properties, resources }
  const examples = [example]
  return { description, type: 'object', required, additionalProperties: false, properties: all, examples }
}

/** What must be true of all rules together. */
export const invariants = {
  description: 'What must be true of all rules together: proved, or refuted with a counterexample.',
  type: 'array',
  items: {
    type: 'object',
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    properties: {
      never: demand(
        'The action is never allowed where this may hold, true or unknown.',
        ['action', 'when'],
        {
          action,
          when: condition
        },
        { action: 'delete', when: 'resource.tenant_id != principal.tenant_id' }
      ),
      possible: demand(
        'There is a case in which the action is allowed and this is true.',
        ['action', 'when'],
        {
          action,
          when: condition
        },
        { action: 'read', when: 'resource.tenant_id != principal.tenant_id' }
      ),
      unchanged: demand(
        'No update changes these columns, unless this is true of the row as it was.',
        ['columns'],
        {
          columns: changed,
          unless: condition
        },
        { columns: ['tenant_id'], unless: 'principal.is_platform_admin' }
      ),
      only_when: demand(
        'An update changes these columns only when this is true of the row as it was.',
        ['changes', 'when'],
        {
          changes: changed,
          when: condition
        },
        { changes: ['shared_with'], when: 'resource.tenant_id == principal.tenant_id' }
      )
    }
  },
  examples: [[{ unchanged: { columns: ['tenant_id'], unless: 'principal.is_platform_admin' } }]]
}
