import type { Gate } from '../ir/gates.js'
import type { Invariant } from '../ir/model.js'
import type { Counterexample } from './counterexample.js'

/**
 * What can be said of a gate, of a resource, of an invariant and of a policy. Only the first is a proof. "Related rows"
 * is said of an invariant alone: there is a case, but perhaps no tables that hold it.
 */
export type Verdict =
  | 'proved'
  | 'refuted'
  | 'not proved: too large'
  | 'not proved: related rows'
  | 'not proved: unreadable SQL'

/** What is asked about a resource: one of its gates, or which columns an update may change. */
export type Question = Gate | 'columns'

/** One question about a resource. */
export interface GateProof {
  readonly gate: Question
  readonly verdict: Verdict
  /** How many cases there are; above 2^53 it is rounded. All of them were compared unless it is too large. */
  readonly models: number
  /** The smallest case in which the locks differ. */
  readonly counterexample: Counterexample | null
}

/** One resource: what its locks decide, and whether its table has the security that the comparison assumes. */
export interface ResourceProof {
  readonly resource: string
  readonly table: string | null
  readonly verdict: Verdict
  /** How many cases were compared. */
  readonly models: number
  readonly gates: readonly GateProof[]
  /** What is wrong beside the decisions, each a sentence. */
  readonly findings: readonly string[]
  readonly milliseconds: number
}

/** An allowed case that breaks an invariant, complete and ready to be pasted into a test. */
export interface InvariantCounterexample extends Omit<Counterexample, 'says'> {
  /** The row as it becomes; null where the action is about one row. */
  readonly next: Counterexample['row'] | null
  /** The columns in which the two rows differ. */
  readonly changed: readonly string[]
}

/** One invariant of one resource. */
export interface InvariantAbout {
  readonly kind: Invariant['kind']
  readonly resource: string
  /** Null for `only_when`, which is about updates. */
  readonly action: string | null
  /** The columns of `only_when`. */
  readonly columns: readonly string[]
  /** Where it stands, as file:line:column. */
  readonly at: string | null
}

/** What became of an invariant. */
export interface InvariantProof extends InvariantAbout {
  readonly verdict: Verdict
  /** How many cases were tried, or at least would be if it is too large. */
  readonly models: number
  /** The smallest case that breaks it. What is never possible has none. */
  readonly counterexample: InvariantCounterexample | null
}

/** An invariant in a few words: what it demands, and of which resource. */
export function invariantName({ kind, resource, action, columns }: InvariantAbout): string {
  return `${kind} ${action ?? columns.join(', ')} (${resource})`
}

/** The proof of a policy. */
export interface ProofReport {
  readonly revision: string
  readonly verdict: Verdict
  readonly resources: readonly ResourceProof[]
  readonly invariants: readonly InvariantProof[]
  readonly milliseconds: number
}

/** The order in which verdicts outweigh each other: a counterexample stands whatever else is unknown. */
const SEVERITY: readonly Verdict[] = [
  'refuted',
  'not proved: unreadable SQL',
  'not proved: too large',
  'not proved: related rows',
  'proved'
]

/** The verdict on a whole, from those on its parts. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return SEVERITY.find(one => verdicts.includes(one)) ?? 'proved'
}

/** Whether every case was compared. */
export function isDecided(verdict: Verdict): boolean {
  return verdict === 'proved' || verdict === 'refuted'
}
