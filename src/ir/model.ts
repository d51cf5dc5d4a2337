import type { Span } from '../errors/errors.js'
import type { Condition, Relation } from './formula.js'
import type { Column, Type } from './types.js'

export type { Column } from './types.js'

/** The actions that every resource has. Each is one SQL command on the resource's table. */
export const ACTIONS = ['read', 'create', 'update', 'delete'] as const
/** One of the four actions. */
export type Action = (typeof ACTIONS)[number]

/**
 * An action that a policy adds. With a command it needs that action's permission too, so the database bounds it;
 * without one it is the app's alone.
 */
export interface AddedAction {
  readonly name: string
  readonly command: Action | null
}

/**
 * A declared attribute of the principal. An absent one is null. `lookup`: no caller may say it, however trusted.
 * `role` names the PostgreSQL role of a role flag: whoever has the flag may enter that role for a transaction.
 */
export interface PrincipalAttribute {
  readonly name: string
  readonly type: Type
  readonly source: 'context' | 'lookup'
  readonly role?: string
}

/**
 * An allow rule counts when it is true, a forbid rule unless it is false. `when` is asked of the stored row, `check` of
 * the new row of a create or update.
 */
export interface Rule {
  readonly id: string
  readonly effect: 'allow' | 'forbid'
  /** The four actions and added ones, in a fixed order. */
  readonly actions: readonly string[]
  readonly when: Condition
  readonly check: Condition
  readonly span?: Span
}

/** The functions of the database that change columns in the one way that makes sense of them. */
export type Through = 'share' | 'transfer'

/**
 * Who may change some columns: `when` is asked of the row as it was. With `through` the database lets them change by
 * that function alone.
 */
export interface ColumnRule {
  readonly columns: readonly string[]
  readonly when: Condition
  readonly through: Through | null
  readonly span?: Span
}

/**
 * What the author demands of all rules together; the proof decides it, the decision does not read it.
 *
 * `never`: no case in which the action is allowed and `when` may hold, true or unknown. `possible`: there is a case in
 * which the action is allowed and `when` is true. `only_when`: no update changes one of the columns unless `when` is
 * true of the row as it was.
 */
export type Invariant = { readonly resource: string; readonly when: Condition; readonly span?: Span } & (
  | { readonly kind: 'never' | 'possible'; readonly action: string }
  | { readonly kind: 'only_when'; readonly columns: readonly string[] }
)

/** A resource type. Without `table` it is decided from the attributes that the caller passes. */
export interface Resource {
  readonly name: string
  readonly table: string | null
  readonly columns: readonly Column[]
  readonly relations: readonly Relation[]
  readonly rules: readonly Rule[]
  /** Columns that no update changes. */
  readonly immutable: readonly string[]
  readonly columnRules: readonly ColumnRule[]
  /** The column that says when a row was deleted which is kept; one of `immutable`, because only a delete sets it. */
  readonly softDelete: string | null
  /**
   * How applications delete a row for good: by DELETE, or by the function `remove()` alone. Null, the policy does not
   * say: by DELETE, unless rows are kept.
   */
  readonly deleteThrough: DeleteThrough | null
  readonly span?: Span
}

/** The ways in which applications delete rows for good. */
export const DELETE_WAYS = ['statement', 'remove'] as const
/** One of them. */
export type DeleteThrough = (typeof DELETE_WAYS)[number]

/** Whether applications may say DELETE, and so, in PostgreSQL, LOCK TABLE. */
export function deletesByStatement({
  softDelete,
  deleteThrough
}: Pick<Resource, 'softDelete' | 'deleteThrough'>): boolean {
  return deleteThrough === 'statement' || (deleteThrough === null && softDelete === null)
}

/**
 * How a transaction tells PostgreSQL for whom it works. `signed`: by a token that only a holder of a key can make.
 * `plain`: by naming a user and a tenant, which anybody with the app role's login can do.
 */
export const CONTEXT_MODES = ['signed', 'plain'] as const
/** One of the two. */
export type ContextMode = (typeof CONTEXT_MODES)[number]

/** A compiled policy folder: data only, deeply frozen, sorted by name. */
export interface Bundle {
  readonly version: 1
  readonly context: ContextMode
  readonly actions: readonly AddedAction[]
  readonly principal: readonly PrincipalAttribute[]
  readonly resources: readonly Resource[]
  /** They take no part in decisions, so the revision does not depend on them. */
  readonly invariants: readonly Invariant[]
  /** SHA-256 (hex, 64 characters) of the canonical text: the same meaning gives the same revision. */
  readonly revision: string
}

/** The resource called `name`, or undefined. */
export function resourceOf(bundle: Bundle, name: string): Resource | undefined {
  return bundle.resources.find(resource => resource.name === name)
}
