import type { PolicyError } from '../errors/errors.js'
import type { Colors } from './io.js'

/** A mistake as people read it: place, code and message on one line, the hint below. */
export function problemText(problem: PolicyError, { bold, dim, red }: Colors): string {
  const { file, line, column } = problem.span
  const first = `${bold(`${file}:${line}:${column}`)} ${red(problem.code)} ${problem.message}\n`
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
  readonly message: string
  readonly hint: string | null
}

/** The JSON form of a mistake. */
export function problemJson({ span, code, message, hint }: PolicyError): ProblemJson {
  const { file, line, column, endLine, endColumn } = span
  return { file, line, column, endLine, endColumn, code, message, hint: hint ?? null }
}

/** `1 rule`, `2 rules`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** A number of cases; beyond 2^53 it is rounded, and so is its text. */
export function caseCount(cases: number): string {
  return Number.isSafeInteger(cases) ? cases.toLocaleString('en') : `about ${cases.toPrecision(2)}`
}
