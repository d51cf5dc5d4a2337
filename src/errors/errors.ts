import type {
  CatalogCode,
  Code,
  ConfigCode,
  DatabaseCode,
  GeneratedCode,
  LeakCode,
  PolicyCode,
  TestCode
} from './codes.js'

/** A place in a policy file. Lines and columns count from 1; `endColumn` is one past the last character. */
export interface Span {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

/** Anything twinrule reports on purpose. `code` is public and stable, `message` is not. */
export class TwinruleError extends Error {
  readonly code: Code
  readonly hint: string | undefined

  constructor(code: Code, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
  }
}

/** A mistake in a policy file, something in it that a live database has otherwise, or a generated file that does not fit. */
export class PolicyError extends TwinruleError {
  readonly span: Span

  constructor(
    code: PolicyCode | CatalogCode | GeneratedCode | 'TWR_LEAK_FILE',
    message: string,
    span: Span,
    hint?: string
  ) {
    super(code, message, { hint })
    this.span = span
  }

  /** `file:line:column CODE message`, the form editors and CI annotate. */
  override toString(): string {
    const { file, line, column } = this.span
    return `${file}:${line}:${column} ${this.code} ${this.message}`
  }
}

/** Every mistake of one run over a policy folder, thrown once where a caller asked for a bundle or nothing. */
export class PolicyProblems extends TwinruleError {
  readonly problems: readonly PolicyError[]

  constructor(problems: readonly PolicyError[]) {
    const first = problems[0]
    if (first === undefined) throw new InternalError('PolicyProblems without a problem')
    super(first.code, problems.map(String).join('\n'), {
      hint: 'run `twinrule check` on the folder for the hints'
    })
    this.problems = problems
  }
}

/** A wrong flag, environment variable or input path. */
export class ConfigError extends TwinruleError {
  constructor(code: ConfigCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(code, message, options)
  }
}

/** Policy tests that cannot be run. A test that fails is no error. */
export class TestError extends TwinruleError {
  constructor(code: TestCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(code, message, options)
  }
}

/** A leak check that cannot be made. A leak is no error. */
export class LeakError extends TwinruleError {
  constructor(code: LeakCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(code, message, options)
  }
}

/** A database that cannot be reached, is not safe to use, or answered with an error. */
export class DatabaseError extends TwinruleError {
  readonly sqlstate: string | undefined

  constructor(
    code: DatabaseCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown; sqlstate?: string | undefined } = {}
  ) {
    super(code, message, options)
    this.sqlstate = options.sqlstate
  }
}

/** A request that the service refuses before any decision is made. */
export class RequestError extends TwinruleError {
  readonly statusCode: number

  constructor(
    code: Extract<Code, `TWR_REQUEST_${string}`>,
    statusCode: number,
    message: string,
    hint?: string
  ) {
    super(code, message, { hint })
    this.statusCode = statusCode
  }
}

/** A state that cannot happen unless twinrule itself is wrong. */
export class InternalError extends TwinruleError {
  constructor(message: string, cause?: unknown) {
    super('TWR_BUG', message, {
      cause,
      hint: 'please report this with the policy files: it is a fault in twinrule'
    })
  }
}
