import type { JsonValue } from '../../ir/json.js'
import type { ReasonCode } from '../request.js'

/** The truth of a condition in words. `hidden`: it rests on a value that the asker may not read. */
export type Said = 'true' | 'false' | 'unknown' | 'hidden'

/** Values by name. */
export type JsonRow = Readonly<Record<string, JsonValue>>

/** A condition with the truth of each of its parts. */
export type Traced =
  | { readonly kind: 'const'; readonly truth: Said; readonly text: string }
  | { readonly kind: 'all' | 'any' | 'not'; readonly truth: Said; readonly of: readonly Traced[] }
  | TracedTest
  | TracedRelated

/** One comparison and the values that it compared, by the text of their terms. Hidden values are left out. */
export interface TracedTest {
  readonly kind: 'test'
  readonly truth: Said
  readonly text: string
  readonly values: JsonRow
  /** Why it is unknown; null where it is not. */
  readonly why: string | null
  /** `file:line:column` of the policy. */
  readonly at: string | null
}

/** A question about related rows, and each of these rows. Hidden rows are left out. */
export interface TracedRelated {
  readonly kind: 'related'
  readonly truth: Said
  readonly text: string
  readonly relation: string
  readonly rows: readonly TracedRow[]
  readonly at: string | null
}

/** A related row. One that the principal may not read does not count. */
export interface TracedRow {
  readonly row: JsonRow
  readonly counts: boolean
  readonly of: Traced
}

/** A rule and its condition. An allow rule counts when it is true, a forbid rule unless it is false; null is hidden. */
export interface ExplainedRule {
  readonly rule: string
  readonly effect: 'allow' | 'forbid'
  readonly counts: boolean | null
  readonly condition: Traced
  readonly at: string | null
}

/** One demand of the action: that a rule which allows counts and none which forbids does; null is hidden. */
export interface ExplainedDemand {
  readonly action: string
  /** The part of the rules that was asked. */
  readonly part: 'when' | 'check'
  /** Which row it was asked of: the row as it is, or as it would become. */
  readonly row: 'old' | 'new'
  readonly met: boolean | null
  readonly rules: readonly ExplainedRule[]
}

/** What guards columns that the update changes; null is hidden. */
export interface ExplainedColumns {
  readonly kind: 'immutable' | 'rule'
  /** Those that change and are guarded. */
  readonly columns: readonly string[]
  readonly permits: boolean | null
  /** The condition of a column rule, asked of the row as it is. */
  readonly condition: Traced | null
  readonly at: string | null
}

/**
 * One step of a grant. `at` is the attribute: `principal.x`, `resource.x`, `changes.x`, and for related rows
 * `resource.r`, `changes.r` or a column of one, `resource.r[0].x`, counted as the request sends them.
 *
 * `set` gives it another value; `add` and `remove` are about one item of a set; `add_row` and `remove_row` about one
 * related row; `leave` takes a column out of the proposed changes, so that it stays as it is.
 */
export type Step =
  | { readonly change: 'set'; readonly at: string; readonly from: JsonValue; readonly to: JsonValue }
  | { readonly change: 'add' | 'remove'; readonly at: string; readonly value: JsonValue }
  | { readonly change: 'add_row' | 'remove_row'; readonly at: string; readonly row: JsonRow }
  | { readonly change: 'leave'; readonly at: string }

/** The smallest change of attributes, shares and roles with which a denied request would be allowed. */
export type NearestGrant =
  /** Each of `grants` is a list of steps that does it, all of the same length; no shorter one does. */
  | { readonly outcome: 'found'; readonly grants: readonly (readonly Step[])[] }
  /** Every change of at most so many steps was tried, and none does it. */
  | { readonly outcome: 'none'; readonly steps: number }
  /** No change of at most so many steps does it; of longer ones there were too many to try. */
  | { readonly outcome: 'too_many'; readonly steps: number }
  /** It would tell about values that the asker may not read. */
  | { readonly outcome: 'hidden' }
  /** The request is allowed, or was denied before any rule was asked. */
  | { readonly outcome: 'not_asked' }

/** Why a decision came out as it did. */
export interface Explanation {
  /** The decision, with its code, sentence and rule, exactly as `decide` gives it. */
  readonly decision: boolean
  readonly code: ReasonCode
  readonly reason: string
  readonly rule: string | null
  readonly revision: string
  readonly subject: string
  readonly action: string
  readonly resource: { readonly type: string; readonly id: string }
  /** The principal as the rules see it; null when the request was denied before they were asked. */
  readonly principal: JsonRow | null
  /** The row as it is; null when it is hidden, does not exist yet or no rule was asked. */
  readonly row: JsonRow | null
  /** The row as it would become, likewise; hidden columns are left out. */
  readonly next: JsonRow | null
  /** The columns that the update changes; in the redacted form of a hidden row, those that the request names. */
  readonly changed: readonly string[]
  readonly demands: readonly ExplainedDemand[]
  readonly columns: readonly ExplainedColumns[]
  readonly nearest: NearestGrant
  /** Whether values that the asker may not read are left out. */
  readonly redacted: boolean
}
