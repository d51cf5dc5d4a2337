import { REASON_CODES } from '../engine/request.js'
import { names } from '../policy/schema-parts.js'

/** Names of principals, rows and tenants. */
const name = { type: 'string', ...names }
const oneOrMore = (item: object, type: readonly string[] = ['string']) => ({
  type: [...type, 'array'],
  minItems: 1,
  uniqueItems: true,
  items: item
})

const tenant = {
  description: 'A tenant. Its name stands for its id wherever a uuid is expected.',
  type: 'object',
  additionalProperties: false,
  properties: {
    id: {
      description: 'Its id; made from the name unless given.',
      type: 'string',
      examples: ['00000000-0000-0000-0000-00000000000a']
    },
    type: {
      description: 'Its type, `client` unless given.',
      enum: ['client', 'solution', 'industry', 'platform']
    },
    status: {
      description: 'Its status, `active` unless given. In another one it has no members.',
      enum: ['pending', 'active', 'suspended', 'archived', 'deleted']
    }
  },
  examples: [{ type: 'client' }]
}

const roles = { type: 'array', uniqueItems: true, items: { type: 'string', minLength: 1 } }

const principal = {
  description: 'A user as a member of a tenant.',
  type: 'object',
  additionalProperties: false,
  properties: {
    id: {
      description: 'The id of the user; made from the name unless given.',
      type: 'string',
      examples: ['00000000-0000-0000-0001-00000000000a']
    },
    tenant: { ...tenant, description: 'The name of a tenant, or a tenant.', type: ['string', 'object'] },
    role: {
      description: 'The role in the tenant, `member` unless given.',
      enum: ['owner', 'admin', 'member', 'guest']
    },
    roles: { ...roles, description: 'Roles that the user holds in the tenant.', examples: [['editor']] },
    global_roles: {
      ...roles,
      description: 'Roles that the user holds everywhere; role flags come from them.',
      examples: [['platform_admin']]
    }
  },
  examples: [{ tenant: 'acme', role: 'owner' }]
}

const row = {
  description: 'A row: its columns, and its related rows by the name of the relation.',
  type: 'object',
  examples: [{ tenant_id: 'acme', is_shared: false }]
}

const byName = (item: object, description: string, example: object) => ({
  description,
  examples: [example],
  type: 'object',
  propertyNames: names,
  additionalProperties: item
})

const actions = oneOrMore({ type: 'string' })
const named = { type: ['string', 'array', 'object'], items: name }

const test = {
  description: 'Who may, or may not, do what with which row; or a table of who may do it with which rows.',
  type: 'object',
  additionalProperties: false,
  properties: {
    title: {
      description: 'What this is about, for reports.',
      type: 'string',
      minLength: 1,
      examples: ['a tenant shares with others']
    },
    who: { ...principal, ...named, description: 'Principals by name, or a principal.' },
    may: { ...actions, description: 'Actions that must be allowed.', examples: ['read', ['read', 'update']] },
    may_not: {
      ...actions,
      description: 'Actions that must be denied.',
      examples: ['delete', ['update', 'delete']]
    },
    what: {
      ...named,
      description: 'Rows by name, or a row as { type: columns }. For create: the new row.',
      examples: ['draft', ['draft', 'lent'], { note: { open: true } }]
    },
    changes: {
      description: 'For an update: the columns that change, with their new values.',
      type: 'object',
      minProperties: 1,
      examples: [{ open: false }]
    },
    by: {
      description: 'The rule that must allow it. Asked in process and over HTTP.',
      type: 'string',
      examples: ['owner']
    },
    because: {
      description: 'The reason why it must be denied. Asked in process and over HTTP.',
      enum: REASON_CODES.filter(code => code !== 'allowed')
    },
    of: {
      description: 'For a table: the resource type. All its rows are asked about.',
      ...name,
      examples: ['note']
    },
    table: {
      description: 'For each principal the rows with which it may; with all others of the type it may not.',
      type: 'object',
      minProperties: 1,
      additionalProperties: {
        type: ['string', 'array'],
        items: name,
        examples: ['all', 'none', ['draft']]
      },
      examples: [{ ada: 'all', gus: ['lent'] }]
    }
  },
  examples: [{ who: 'gus', may: 'read', what: 'draft' }]
}

/** The JSON Schema (draft 07) of a policy test file; shipped as schema/policy-test.schema.json. */
export const TEST_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'twinrule policy test file',
  description: 'What policies must allow and deny, for principals and rows by name.',
  type: 'object',
  required: ['version', 'tests'],
  additionalProperties: false,
  properties: {
    version: { description: 'The version of this format.', const: 1 },
    tenants: byName(tenant, 'Tenants by name.', { acme: { type: 'client' } }),
    principals: byName(principal, 'Principals by name.', { ada: { tenant: 'acme', role: 'owner' } }),
    defaults: byName(
      { type: 'object', description: 'Columns of every row of the type that does not say otherwise.' },
      'Columns of rows, by resource type.',
      { note: { open: false } }
    ),
    rows: byName(
      byName(row, 'Rows by name.', { draft: { tenant_id: 'acme' } }),
      'Rows by resource type and name.',
      { note: { draft: { tenant_id: 'acme' } } }
    ),
    tests: {
      description: 'What must be allowed and denied.',
      type: 'array',
      minItems: 1,
      items: test,
      examples: [[{ who: 'gus', may: 'read', what: 'draft' }]]
    }
  }
} as const
