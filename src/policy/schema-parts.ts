import { ACTIONS, DELETE_WAYS } from '../ir/model.js'

const NAME = '^[a-z_][a-z0-9_]*$'
/** A name: what a policy author may call something. */
export const names = { pattern: NAME, maxLength: 63 }

/** A condition, as text. */
export const condition = {
  description:
    'A condition in a subset of CEL: resource.x and principal.x compared with ==, !=, in, not in, joined by &&, ||, !. A macro is used by its name. Comparisons with null are unknown, and unknown never allows.',
  type: ['string', 'boolean'],
  examples: [
    'resource.tenant_id == principal.tenant_id',
    'resource.sharing_mode == "global" && !resource.is_hidden'
  ]
}

/** The columns of a resource, trait or plain table. */
export const columns = {
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
  items: { type: 'string', examples: [...ACTIONS] },
  examples: [['read'], ['read', 'update']]
}

/** Columns that never change. */
export const immutable = {
  description: 'Columns that no update changes.',
  type: 'array',
  uniqueItems: true,
  items: { type: 'string' },
  examples: [['id']]
}

/** Rules about who may change columns. */
export const column_rules = {
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
        items: { type: 'string' },
        examples: [['tenant_id']]
      },
      when: { ...condition, description: `Asked of the row as it was. ${condition.description}` },
      through: {
        description:
          'The function by which alone these columns change in the database: share (is_shared, sharing_mode, shared_with) or transfer (tenant_id).',
        enum: ['share', 'transfer']
      }
    }
  },
  examples: [[{ columns: ['tenant_id'], when: 'principal.is_platform_admin' }]]
}

/** The column of deletions that keep the row. */
export const soft_delete = {
  description:
    'A column that is null until the row is deleted by twinrule.soft_delete(), which keeps the row. No update changes it.',
  type: 'string',
  examples: ['deleted_at']
}

/** How rows are deleted for good. */
export const delete_through = {
  description:
    'How applications delete rows for good. remove: by twinrule.remove() alone. statement: by DELETE, with which PostgreSQL lets whoever runs SQL as twinrule_app lock the table. By default statement, or not at all where soft_delete is declared.',
  enum: [...DELETE_WAYS]
}

/** The relations of a resource. */
export const relations = {
  description: 'Rows of other tables that belong to a row, for exists() and can().',
  type: 'object',
  propertyNames: names,
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    oneOf: [{ required: ['one'] }, { required: ['many'] }],
    properties: {
      one: {
        description: 'The resource or table of the one related row.',
        type: 'string',
        examples: ['workflow'],
        ...names
      },
      many: {
        description: 'The resource or table of the related rows.',
        type: 'string',
        examples: ['document_shares'],
        ...names
      },
      local: {
        description: 'The column of this resource; by default <relation>_id for one, id for many.',
        type: 'string',
        examples: ['workflow_id'],
        ...names
      },
      remote: {
        description:
          'The column of the other table that equals it; by default id for one, <resource>_id for many.',
        type: 'string',
        examples: ['document_id'],
        ...names
      },
      columns: { ...columns, description: 'For a plain table: the columns that rules may read.' }
    }
  },
  examples: [{ workflow: { one: 'workflow', local: 'workflow_id' } }]
}

/** The rules of a resource or trait. */
export const rules = {
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
