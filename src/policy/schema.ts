import { ACTIONS } from '../ir/model.js'

const NAME = '^[a-z_][a-z0-9_]*$'
const names = { pattern: NAME, maxLength: 63 }

const condition = {
  description:
    'A condition in a subset of CEL: resource.x and principal.x compared with ==, !=, in, not in, joined by &&, ||, !. A macro is used by its name. Comparisons with null are unknown, and unknown never allows.',
  type: ['string', 'boolean'],
  examples: [
    'resource.tenant_id == principal.tenant_id',
    'resource.sharing_mode == "global" && !resource.is_hidden'
  ]
}

const columns = {
  description: 'The columns that rules may read. "!" says NOT NULL.',
  type: 'object',
  propertyNames: names,
  additionalProperties: {
    description:
      'uuid, text, bool, int, date, timestamptz, an enum of this file, or set<...> of one; with "!" when it is NOT NULL.',
    type: 'string',
    examples: ['uuid!', 'text', 'set<uuid>!']
  },
  examples: [{ id: 'uuid!', tenant_id: 'uuid!', shared_with: 'set<uuid>' }]
}

const actionList = {
  type: 'array',
  minItems: 1,
  uniqueItems: true,
  items: { type: 'string', examples: [...ACTIONS] }
}

const immutable = {
  description: 'Columns that no update changes.',
  type: 'array',
  uniqueItems: true,
  items: { type: 'string' },
  examples: [['id']]
}

const column_rules = {
  description:
    'Who may change some columns. All rules that name a changed column must be true of the row as it was.',
  type: 'array',
  items: {
    type: 'object',
    required: ['columns', 'when'],
    additionalProperties: false,
    properties: {
      columns: {
        description: 'The columns that this rule guards.',
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: { type: 'string' }
      },
      when: { ...condition, description: `Asked of the row as it was. ${condition.description}` }
    }
  },
  examples: [[{ columns: ['tenant_id'], when: 'principal.is_platform_admin' }]]
}

const rules = {
  description: 'Rules by id. The order does not matter. What no rule allows is denied.',
  type: 'object',
  propertyNames: { pattern: '^[a-z_][a-z0-9_-]*$', maxLength: 63 },
  additionalProperties: {
    type: 'object',
    required: ['when'],
    oneOf: [{ required: ['allow'] }, { required: ['forbid'] }],
    additionalProperties: false,
    properties: {
      allow: {
        description: 'The actions that this rule allows when its condition is true.',
        ...actionList
      },
      forbid: {
        description:
          'The actions that this rule forbids, whatever allows them, unless its condition is false.',
        ...actionList
      },
      when: {
        ...condition,
        description: `Asked of the stored row (create: see check). ${condition.description}`
      },
      check: {
        ...condition,
        description: `Asked of the new row of a create or update. Without it, \`when\` is. ${condition.description}`
      }
    }
  },
  examples: [{ owner: { allow: ['read', 'update'], when: 'resource.tenant_id == principal.tenant_id' } }]
}

/** The JSON Schema (draft 07) of a policy file; shipped as schema/policy.schema.json, from which editors complete. */
export const POLICY_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'twinrule policy file',
  description: 'Access rules that compile into CASL checks and PostgreSQL row-level security.',
  type: 'object',
  required: ['version'],
  additionalProperties: false,
  properties: {
    version: { description: 'The version of this format.', const: 1 },
    enums: {
      description: 'Closed sets of labels. In the database they are text columns with a CHECK.',
      type: 'object',
      propertyNames: names,
      additionalProperties: {
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: { type: 'string', minLength: 1, maxLength: 63 }
      },
      examples: [{ sharing_mode: ['private', 'global', 'selective'] }]
    },
    actions: {
      description:
        'Actions beside read, create, update and delete. With a command an action needs the permission of that one too; without one only the app asks it.',
      type: 'object',
      propertyNames: names,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: {
          command: { description: 'The action whose permission this one needs too.', enum: [...ACTIONS] }
        }
      },
      examples: [{ publish: { command: 'update' }, invoke: {} }]
    },
    principal: {
      description: 'What is known of whoever asks. An absent attribute is null. `id: uuid` is needed.',
      type: 'object',
      propertyNames: names,
      additionalProperties: {
        anyOf: [
          { type: 'string' },
          {
            type: 'object',
            required: ['type'],
            additionalProperties: false,
            properties: {
              type: { description: 'The type of the attribute.', type: 'string' },
              source: {
                description:
                  '`lookup`: read fresh from the database at every decision, never taken from a caller.',
                const: 'lookup'
              },
              role: {
                description: 'For a bool called is_<role>: the PostgreSQL role that its holders may enter.',
                type: 'string',
                ...names
              }
            }
          }
        ]
      },
      examples: [
        { id: 'uuid', tenant_id: 'uuid', is_platform_admin: { type: 'bool', role: 'authz_platform_admin' } }
      ]
    },
    macros: {
      description: 'Named conditions, usable in every rule by their name.',
      type: 'object',
      propertyNames: names,
      additionalProperties: condition,
      examples: [{ mine: 'resource.tenant_id == principal.tenant_id' }]
    },
    traits: {
      description: 'Columns and rules that several resources share.',
      type: 'object',
      propertyNames: names,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: { columns, immutable, column_rules, rules }
      }
    },
    resources: {
      description: 'The resource types, by the name that requests use.',
      type: 'object',
      propertyNames: names,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: {
          table: {
            description:
              'The table in schema public. Without one the type is decided from passed attributes only.',
            type: 'string',
            ...names
          },
          use: {
            description: 'The traits whose columns and rules this resource has.',
            type: 'array',
            uniqueItems: true,
            items: { type: 'string' }
          },
          columns,
          immutable,
          column_rules,
          rules
        }
      },
      examples: [{ agent: { table: 'agents', use: ['sharable'] } }]
    }
  }
} as const

/** What the policy language has and this version does not compile yet: refused by name, never ignored. */
export const UNSUPPORTED_KEYS: Readonly<Record<string, string>> = {
  relations: 'relations',
  invariants: 'invariants'
}

/** Names that would collide with JavaScript's own or with CASL's wildcards. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'manage',
  'all',
  '__proto__',
  'constructor',
  'prototype',
  'now'
])
