import type { PolicyCode } from '../errors/codes.js'
import type { Ordering } from '../ir/formula.js'

/** A place in the text of one condition: offsets, `end` exclusive. */
export interface Place {
  readonly start: number
  readonly end: number
}

/** A name between dots, with its place. */
export interface Segment extends Place {
  readonly name: string
}

/** A condition as parsed, before names and types are known. */
export type Ast = Place &
  (
    | { readonly kind: 'and' | 'or'; readonly of: readonly Ast[] }
    | { readonly kind: 'not'; readonly of: Ast }
    | { readonly kind: 'equal'; readonly negated: boolean; readonly left: Ast; readonly right: Ast }
    | { readonly kind: 'order'; readonly op: Ordering; readonly left: Ast; readonly right: Ast }
    | { readonly kind: 'in'; readonly negated: boolean; readonly item: Ast; readonly set: Ast }
    | {
        readonly kind: 'exists'
        readonly path: readonly Segment[]
        readonly variable: Segment
        readonly of: Ast
      }
    | { readonly kind: 'can'; readonly path: readonly Segment[]; readonly action: Ast }
    | { readonly kind: 'path'; readonly segments: readonly Segment[] }
    | { readonly kind: 'string'; readonly value: string }
    | { readonly kind: 'int'; readonly digits: string }
    | { readonly kind: 'bool'; readonly value: boolean }
    | { readonly kind: 'null' }
    | { readonly kind: 'list'; readonly items: readonly Ast[] }
  )

/** A mistake at a place of the condition's text. */
export interface Fault {
  readonly code: PolicyCode
  readonly message: string
  readonly place: { readonly start: number; readonly end: number }
  readonly hint?: string | undefined
}
