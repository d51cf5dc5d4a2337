import type { PolicyError } from '../errors/errors.js'
import type { Colors } from './io.js'

/** How bad a mistake is. A warning is no reason for another exit code. */
export type Severity = 'error' | 'warning'

/** A mistake as people read it: place, code and message on one line, the hint below. */
export function problemText(
  problem: PolicyError,
  { bold, dim, red, yellow }: Colors,
  severity: Severity = 'error'
): string {
  const { file, line, column } = problem.span
  const code = severity === 'error' ? red(problem.code) : `${yellow(problem.code)} warning:`
  const first = `${bold(`${file}:${line}:${column}`)} ${code} ${problem.message}\n`
  return problem.hint === undefined ? first : `${first}  ${dim('hint:')} ${problem.hint}\n`
}

/** A mistake as programs read it. Lines and columns count from 1, `endColumn` is one past the last character. */
export interface ProblemJson {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
  readonly code: string
  readonly severity: Severity
  readonly message: string
  readonly hint: string | null
}

/** The JSON form of a mistake. */
export function problemJson(
  { span, code, message, hint }: PolicyError,
  severity: Severity = 'error'
): ProblemJson {
  const { file, line, column, endLine, endColumn } = span
  return { file, line, column, endLine, endColumn, code, severity, message, hint: hint ?? null }
}

/** `1 rule`, `2 rules`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`
}

/** A number of cases; beyond 2^53 it is rounded, and so is its text. */
export function caseCount(cases: number): string {
  return Number.isSafeInteger(cases) ? cases.toLocaleString('en') : `about ${cases.toPrecision(2)}`
}
