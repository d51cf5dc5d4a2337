import { ACTIONS, type Bundle, type Resource } from '../ir/model.js'
import type { Column, Type } from '../ir/types.js'
import { note } from './matrix-text.js'

/** TypeScript types of a policy: with them a misspelt action or column does not compile. */
export function policyTypes(bundle: Bundle): string {
  const { principal, resources } = bundle
  const attributes = principal.filter(({ name }) => name !== 'id').map(one => ({ ...one, nullable: true }))
  return `// ${note(bundle)}

/** What is known of whoever asks, beside the id. */
export type Principal = ${object(attributes.map(column), 0)}

/** The columns and related rows of each resource type that rules may read. */
export type Resources = ${object(
    resources.map(one => [one.name, row(one)] as const),
    0
  )}

/** The actions of each resource type. */
export type Actions = ${object(
    resources.map(one => [one.name, actions(bundle, one)] as const),
    0
  )}

/** The name of a resource type. */
export type ResourceName = keyof Resources

/** A question about a resource type, for \`decide\`, \`explain\` and POST /authorize. */
export type QuestionAbout<R extends ResourceName> = {
  readonly subject: { readonly type: 'user'; readonly id: string; readonly properties?: Partial<Principal> }
  readonly action: {
    readonly name: Actions[R]
    readonly properties?: { readonly changes?: Partial<Resources[R]> }
  }
  readonly resource: { readonly type: R; readonly id: string; readonly properties?: Partial<Resources[R]> }
}

/** A question about any resource type. */
export type Question = { [R in ResourceName]: QuestionAbout<R> }[ResourceName]
`
}

type Field = readonly [name: string, type: string]

function object(fields: readonly Field[], depth: number): string {
  const indent = '  '.repeat(depth + 1)
  const lines = fields.map(([name, type]) => `${indent}readonly ${name}: ${type}\n`)
  return lines.length === 0 ? 'Record<never, never>' : `{\n${lines.join('')}${'  '.repeat(depth)}}`
}

function column({ name, type, nullable }: Pick<Column, 'name' | 'type' | 'nullable'>): Field {
  return [name, `${typeOf(type)}${nullable ? ' | null' : ''}`]
}

function row({ columns, relations }: Resource): string {
  const related = relations.map(
    one => [one.name, `readonly ${object(one.columns.map(column), 2)}[]`] as const
  )
  return object([...columns.map(column), ...related], 1)
}

/** Those that every type has, and added ones that a rule of the type allows: another one can only be a slip. */
function actions({ actions: added }: Bundle, { rules }: Resource): string {
  const allowed = added.filter(({ name }) =>
    rules.some(({ effect, actions: own }) => effect === 'allow' && own.includes(name))
  )
  return union([...ACTIONS, ...allowed.map(({ name }) => name)])
}

function union(labels: readonly string[]): string {
  return labels.map(label => `'${label.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`).join(' | ')
}

/** A value as JSON carries it. A whole number beyond 2^53 is a text. */
function typeOf(type: Type): string {
  switch (type.kind) {
    case 'set':
      return `readonly (${typeOf(type.of)} | null)[]`
    case 'enum':
      return union(type.labels)
    case 'bool':
      return 'boolean'
    case 'int':
      return 'number | string'
    case 'uuid':
    case 'text':
    case 'date':
    case 'timestamptz':
      return 'string'
  }
}
