import type { Span } from '../errors/errors.js'
import type { Column, SetType, Type } from './types.js'
import type { Scalar } from './values.js'

/**
 * What a condition can read. `related` is a column of the related row that an `exists` speaks of. A literal list holds
 * no null and no value twice.
 */
export type Term =
  | { readonly kind: 'column'; readonly name: string; readonly type: Type }
  | { readonly kind: 'related'; readonly name: string; readonly type: Type }
  | { readonly kind: 'principal'; readonly name: string; readonly type: Type }
  | { readonly kind: 'literal'; readonly value: Scalar; readonly type: Exclude<Type, SetType> }
  | { readonly kind: 'list'; readonly values: readonly Scalar[]; readonly type: SetType }
  | { readonly kind: 'now'; readonly type: { readonly kind: 'timestamptz' } }

/** The orderings. Only int, date and timestamptz have one. */
export type Ordering = '<' | '<=' | '>' | '>='

/** The smallest conditions. Each looks at its terms through equality, order and null tests alone. */
export type Atom =
  | { readonly kind: 'eq'; readonly left: Term; readonly right: Term }
  | { readonly kind: 'order'; readonly op: Ordering; readonly left: Term; readonly right: Term }
  | { readonly kind: 'in'; readonly item: Term; readonly set: Term }
  | { readonly kind: 'null'; readonly term: Term }

/**
 * The rows of another table that belong to a row: those whose `remote` column equals its `local` one.
 *
 * `readable` is there when the other table is a resource: then only rows that the principal may read count, as under
 * that table's own row-level security.
 */
export interface Relation {
  readonly name: string
  readonly cardinality: 'one' | 'many'
  /** The other table in schema public, null when the other side is decided from passed attributes. */
  readonly table: string | null
  readonly local: string
  readonly remote: string
  readonly columns: readonly Column[]
  readonly readable: ReadRules | null
  readonly span?: Span
}

/** The conditions of the read rules of a resource. */
export interface ReadRules {
  readonly allow: readonly Condition[]
  readonly forbid: readonly Condition[]
}

/** A condition as the author wrote it, names and types resolved: true, false or unknown (Kleene). */
export type Condition =
  | { readonly kind: 'const'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'exists'; readonly relation: Relation; readonly of: Condition; readonly span?: Span }
  | { readonly kind: 'atom'; readonly atom: Atom; readonly span?: Span }

/** Freezes a value and everything below it, so that nobody can change a decision after compiling. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}
