import type { CatalogCode } from '../errors/codes.js'
import { PolicyError, type Span } from '../errors/errors.js'

/**
 * Something in a policy file that a live database has otherwise. `error`: the two locks may decide differently, or the
 * migration will refuse. `warning`: they decide alike, but something is slower or looser than it looks.
 */
export interface Mismatch {
  readonly severity: 'error' | 'warning'
  readonly problem: PolicyError
}

/** Where something stands that the policy gives no place of its own. */
const NOWHERE: Span = { file: 'policies', line: 1, column: 1, endLine: 1, endColumn: 1 }

/** Makes mismatches of one place. */
export function mismatchAt(span: Span | undefined) {
  const make = (severity: Mismatch['severity']) => (code: CatalogCode, message: string, hint: string) => ({
    severity,
    problem: new PolicyError(code, message, span ?? NOWHERE, hint)
  })
  return { error: make('error'), warning: make('warning') }
}
