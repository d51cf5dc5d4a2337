/** One question, in the shape of the AuthZEN Authorization API 1.0. */
export interface DecisionRequest {
  readonly subject: {
    readonly type: string
    readonly id: string
    /** The principal's attributes beside its id. */
    readonly properties?: Readonly<Record<string, unknown>>
  }
  readonly action: {
    readonly name: string
    /** `changes` (column -> new value) is the proposed change of an update; without it the row stays as it is. */
    readonly properties?: Readonly<Record<string, unknown>>
  }
  readonly resource: {
    readonly type: string
    readonly id: string
    /** The stored row; for create the new row. */
    readonly properties?: Readonly<Record<string, unknown>>
  }
  readonly context?: Readonly<Record<string, unknown>>
}

/** Why a decision came out as it did. Public and stable; the sentence beside it is not. */
export const REASON_CODES = [
  'allowed',
  'no_rule',
  'forbidden',
  'immutable_column',
  'column_rule',
  'unknown_type',
  'unknown_action',
  'unknown_subject_type',
  'unknown_subject',
  'no_tenant',
  'several_tenants',
  'not_a_member',
  'no_row',
  'invalid_attribute',
  'unknown_attribute',
  'lookup_attribute'
] as const
/** One of the reasons. */
export type ReasonCode = (typeof REASON_CODES)[number]

/** The answer to one question. */
export interface Answer {
  readonly decision: boolean
  readonly context: {
    /** A sentence for people. It names attributes, never their values. */
    readonly reason: string
    readonly code: ReasonCode
    /** The rule that allowed or forbade; null when none did. */
    readonly rule: string | null
    /** The revision of the policies that decided. */
    readonly revision: string
  }
}

/** A reason for a deny. */
export type DenyCode = Exclude<ReasonCode, 'allowed'>
