import type { Span } from '../errors/errors.js'

/** A type with single values. `enum` values are text limited to the declared labels. */
export type ScalarType =
  | { readonly kind: 'uuid' }
  | { readonly kind: 'text' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'int' }
  | { readonly kind: 'date' }
  | { readonly kind: 'timestamptz' }
  | { readonly kind: 'enum'; readonly name: string; readonly labels: readonly string[] }

/** A PostgreSQL array read as a set: order and repetition carry no meaning. */
export interface SetType {
  readonly kind: 'set'
  readonly of: ScalarType
}

/** The type of a column, a principal attribute or a literal. */
export type Type = ScalarType | SetType

/** A declared column. `nullable` is false for a type written with "!", `span` is the place of that type. */
export interface Column {
  readonly name: string
  readonly type: Type
  readonly nullable: boolean
  readonly span?: Span
}

/** The type as a policy author writes it, for messages. */
export function typeName(type: Type): string {
  switch (type.kind) {
    case 'set':
      return `set<${typeName(type.of)}>`
    case 'enum':
      return type.name
    case 'uuid':
    case 'text':
    case 'bool':
    case 'int':
    case 'date':
    case 'timestamptz':
      return type.kind
  }
}

/** Whether values of a type have an order that means the same in JavaScript and in SQL. */
export function isOrdered(type: Type): boolean {
  return type.kind === 'int' || type.kind === 'date' || type.kind === 'timestamptz'
}

/** Whether two types are one. Enums are the same only by name: labels of two enums never compare. */
export function sameType(a: Type, b: Type): boolean {
  if (a.kind === 'set' || b.kind === 'set') {
    return a.kind === 'set' && b.kind === 'set' && sameType(a.of, b.of)
  }
  if (a.kind === 'enum' || b.kind === 'enum') {
    return a.kind === 'enum' && b.kind === 'enum' && a.name === b.name
  }
  return a.kind === b.kind
}
