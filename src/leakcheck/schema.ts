import { names } from '../policy/schema-parts.js'

const words = { type: 'string', minLength: 1 }

/** The JSON Schema (draft 07) of a leakcheck file; shipped as schema/leakcheck.schema.json. */
export const LEAKCHECK_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'twinrule leakcheck file',
  description: 'Tenants, and requests that are asked for all of them at the same time.',
  type: 'object',
  required: ['version', 'tenants', 'requests'],
  additionalProperties: false,
  properties: {
    version: { description: 'The version of this format.', const: 1 },
    tenants: {
      description:
        'At least two tenants by name, each with what requests need of it. A request writes {token} where the value of `token` belongs.',
      type: 'object',
      minProperties: 2,
      propertyNames: names,
      additionalProperties: {
        type: 'object',
        propertyNames: names,
        additionalProperties: {
          description: 'A value, or the environment variable that holds it.',
          type: ['string', 'object'],
          minLength: 1,
          required: ['env'],
          additionalProperties: false,
          properties: {
            env: { description: 'The name of the variable.', ...words, examples: ['ACME_TOKEN'] }
          }
        }
      },
      examples: [
        { acme: { tenant_id: '00000000-0000-0000-0000-00000000000a', token: { env: 'ACME_TOKEN' } } }
      ]
    },
    requests: {
      description: 'What is asked, by name: `sql`, `url` or `module`.',
      type: 'object',
      minProperties: 1,
      propertyNames: names,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: {
          sql: {
            description: 'A query. It is asked over the pool of --database.',
            ...words,
            examples: ['SELECT id, name FROM agents']
          },
          context: {
            description: 'The statements by which your application says for whom the query is, before it.',
            type: ['string', 'array'],
            minLength: 1,
            minItems: 1,
            items: words,
            examples: ["SELECT set_config('app.tenant_id', {tenant_id}, true)"]
          },
          transaction: {
            description: 'Whether context and query run in one transaction; true unless given.',
            type: 'boolean',
            examples: [false]
          },
          url: {
            description: 'The address of a request over HTTP that answers with JSON.',
            ...words,
            examples: ['http://localhost:3000/agents']
          },
          method: { description: 'GET unless given.', enum: ['GET', 'POST', 'PUT'] },
          headers: {
            description: 'Headers of the request.',
            type: 'object',
            additionalProperties: words,
            examples: [{ authorization: 'Bearer {token}' }]
          },
          body: { description: 'What is sent, as JSON.', examples: [{ page: 1 }] },
          rows: {
            description:
              'Where in the answer the rows are, as a JSON pointer; the answer itself unless given.',
            type: 'string',
            pattern: '^(/[^/]*)+$',
            examples: ['/items']
          },
          module: {
            description: 'A JavaScript module of your application, beside this file.',
            ...words,
            examples: ['./leakcheck.mjs']
          },
          call: {
            description:
              'The function that it exports, `default` unless given: (tenant, { signal }) => rows, with the values of the tenant and its `name`.',
            ...words,
            examples: ['listAgents']
          },
          key: {
            description: 'The members of a row that tell it from others; all of them unless given.',
            type: 'array',
            minItems: 1,
            items: words,
            examples: [['id']]
          }
        }
      },
      examples: [
        { agents: { url: 'http://localhost:3000/agents', headers: { authorization: 'Bearer {token}' } } }
      ]
    }
  }
} as const
