import { InvalidArgumentError, Option } from 'commander'
import { CODES } from '../errors/codes.js'
import { PolicyProblems, TwinruleError } from '../errors/errors.js'
import type { Io } from './io.js'
import { problemText } from './problems.js'

/** Exit codes of the commands. An error that has a code brings its own, see docs/errors.md. */
export const EXIT = { ok: 0, findings: 1, usage: 2, bug: 70 } as const

/** What a command gets: its surroundings, and where to leave its exit code. */
export interface Context {
  readonly io: Io
  end(code: number): void
}

/** `--format`, the first choice being the default. */
export function formatOption(...choices: readonly [string, ...string[]]): Option {
  return new Option('--format <format>', 'how to print it').choices(choices).default(choices[0])
}

/** A whole number of at least one, for options. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return Number(text)
}

/** Help text with example command lines. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map(line => `  $ ${line}`).join('\n')}`
}

/** Prints why a command stopped, and gives its exit code. */
export function report(error: unknown, io: Io): number {
  const { red, bold, dim } = io.errColors
  if (error instanceof PolicyProblems) {
    for (const problem of error.problems) io.err(problemText(problem, io.errColors))
    return EXIT.findings
  }
  if (error instanceof TwinruleError) {
    io.err(`${red(bold(error.code))} ${error.message}\n`)
    if (error.hint !== undefined) io.err(`  ${dim('hint:')} ${error.hint}\n`)
    if (error.code === 'TWR_BUG') io.err(`${error.stack ?? ''}\n`)
    return CODES[error.code].exit
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  io.err(`${red(bold('TWR_BUG'))} ${text}\n`)
  io.err(`  ${dim('hint:')} this is a fault in twinrule: please report it with the command line\n`)
  return EXIT.bug
}
