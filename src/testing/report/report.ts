import type { Explanation } from '../../engine/explain/explanation.js'
import type { Coverage } from '../coverage.js'
import type { LockName } from '../lock.js'
import type { MutationReport } from '../mutate.js'
import type { CaseResult, FileResult } from '../run.js'

/** Everything that a run found out. */
export interface Report {
  readonly revision: string
  readonly locks: readonly LockName[]
  readonly files: readonly FileResult[]
  readonly coverage: Coverage | null
  readonly mutation: MutationReport | null
  /** Why the engine decided a question as it did. */
  readonly explain: (file: FileResult, result: CaseResult) => Explanation | null
}
