import { ACTIONS, CONTEXT_MODES } from '../ir/model.js'
import { invariants } from './schema-invariants.js'
import {
  column_rules,
  columns,
  condition,
  delete_through,
  immutable,
  names,
  relations,
  rules,
  soft_delete
} from './schema-parts.js'

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
    context: {
      description:
        'How a transaction says for whom it works. signed (the default): by a token that only a holder of a key can make. plain: by naming user and tenant, which whoever runs SQL as twinrule_app can do.',
      enum: [...CONTEXT_MODES]
    },
    include: {
      description:
        'Policy files that come with twinrule: tenancy (the principal, rows of a tenant), sharing (sharing modes).',
      type: 'array',
      uniqueItems: true,
      items: { type: 'string', examples: ['tenancy', 'sharing'] },
      examples: [['sharing']]
    },
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
              type: {
                description: 'The type of the attribute.',
                type: 'string',
                examples: ['bool', 'set<text>']
              },
              source: {
                description:
                  '`lookup`: read fresh from the database at every decision, never taken from a caller, not even of a service without a database.',
                const: 'lookup'
              },
              role: {
                description: 'For a bool called is_<role>: the PostgreSQL role that its holders may enter.',
                type: 'string',
                examples: ['authz_platform_admin'],
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
        properties: { columns, relations, immutable, column_rules, soft_delete, delete_through, rules }
      },
      examples: [
        { owned: { columns: { tenant_id: 'uuid!' }, rules: { owner: { allow: ['read'], when: 'mine' } } } }
      ]
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
            examples: ['agents'],
            ...names
          },
          use: {
            description: 'The traits whose columns and rules this resource has.',
            type: 'array',
            uniqueItems: true,
            items: { type: 'string' },
            examples: [['sharable']]
          },
          columns,
          relations,
          immutable,
          column_rules,
          soft_delete,
          delete_through,
          rules
        }
      },
      examples: [{ agent: { table: 'agents', use: ['sharable'] } }]
    },
    invariants
  }
} as const
