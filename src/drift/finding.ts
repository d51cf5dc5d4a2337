import type { CatalogKind } from '../db/catalog/item.js'
import type { Code } from '../errors/codes.js'
import type { Counterexample } from '../prove/counterexample.js'

/** The codes of findings. */
export type DriftCode = Extract<Code, `TWR_DRIFT_${string}`>

/**
 * One way in which a database is not what its last migration left or the policy compiles to.
 *
 * `error`: what the database enforces may be something else than the policy. `warning`: it decides the same, perhaps
 * more slowly, and somebody changed something that belongs to the policy.
 */
export interface DriftFinding {
  readonly code: DriftCode
  readonly severity: 'error' | 'warning'
  readonly kind: CatalogKind | 'record' | 'revision'
  /** The object's name, not quoted: `twinrule_agents_select ON public.agents`. */
  readonly object: string
  /** What is different about the object; null when it is gone or should not be there. */
  readonly property: string | null
  /** What it has to be; null for nothing. */
  readonly expected: string | null
  /** What it is; null for nothing. */
  readonly found: string | null
  /** One sentence, without values of rows. */
  readonly message: string
  /** What to do. */
  readonly hint: string
  /** A case in which a changed policy decides otherwise than the rules, where one was found. */
  readonly counterexample: Counterexample | null
}

/** What a look at a database found. */
export interface DriftReport {
  /** The revision of the policy that was compared. */
  readonly revision: string
  /** The revision that the database says it holds. */
  readonly installed: string | null
  /** The server's major version. */
  readonly server: number
  /** How many objects of the catalog were looked at. */
  readonly objects: number
  /** Errors first. */
  readonly findings: readonly DriftFinding[]
  /** What is no drift and still worth knowing, each a sentence. */
  readonly notes: readonly string[]
}
