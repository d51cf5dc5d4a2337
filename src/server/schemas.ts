import type { ReasonCode } from '../engine/request.js'

/** The members of a JSON object. */
export type Members = Readonly<Record<string, unknown>>

/** A subject or a resource. */
export interface Entity {
  readonly type: string
  readonly id: string
  readonly properties?: Members
}

/** One question of the documented shape: may this subject do this action on this resource? (AuthZEN 1.0.) */
export interface Question {
  readonly subject: Entity
  readonly action: { readonly name: string; readonly properties?: Members }
  readonly resource: Entity
  readonly context?: Members
}

/** How a batch goes on after an answer: to the end, to the first deny, or to the first permit. */
export const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const
/** One of the three. */
export type Semantic = (typeof SEMANTICS)[number]

/** Many questions, as far as a mistake spoils all of them; or one question, when there are no `items`. */
export interface Batch {
  /** Defaults for members that an item lacks; the question itself when there are no items. */
  readonly defaults: Members
  readonly items: readonly unknown[]
  readonly semantic: Semantic
}

/** The answer to one question. `error` stands only on an item of a batch that is no question. */
export interface Decision {
  readonly decision: boolean
  readonly context: {
    readonly reason: string
    readonly code: ReasonCode | 'invalid_request'
    readonly rule: string | null
    readonly revision: string
    readonly error?: { readonly status: number; readonly message: string }
  }
}

/** What every refusal and fault looks like. `path` is a JSON pointer into the body. */
export interface ErrorReply {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint?: string
    readonly path?: string
  }
}
