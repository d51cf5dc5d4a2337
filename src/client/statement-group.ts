import { createHash } from 'node:crypto'
import pg from 'pg'

/** A statement of a group. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepared on the connection the first time, and only executed from then on. */
  readonly isPrepared: boolean
  /** Whether its rows are wanted. */
  readonly hasRows?: boolean
  /** Type parsers in place of the client's. */
  readonly types?: pg.CustomTypesConfig | undefined
  /** Rows as arrays in place of objects. */
  readonly rowMode?: 'array' | undefined
}

/** The state of a connection after a group: no transaction, inside of one, inside of one that failed; null: not known. */
export type ConnectionStatus = 'I' | 'T' | 'E' | null

/** What a group came to: a result for each statement, or the error that ended it. */
export interface GroupOutcome {
  readonly results: readonly pg.QueryResult[]
  /** The statement that failed or, without an error, the number of statements. */
  readonly reached: number
  readonly status: ConnectionStatus
  readonly error?: unknown
}

/** Not in the types of `pg`, and the only way to write values as `client.query` writes them. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils

/** What `pg` calls while a query is being answered, and a name, which is another one for each text. */
interface Connection extends Omit<pg.Connection, 'parse' | 'bind' | 'describe' | 'execute' | 'close'> {
  parse(message: { name: string; text: string }): void
  bind(message: { statement: string; values: unknown[]; valueMapper(value: unknown): unknown }): void
  describe(message: { type: 'P'; name: string }): void
  execute(message: { portal: string }): void
  close(message: { type: 'S'; name: string }): void
}

/** The statements that this module has prepared on a connection. */
const prepared = new WeakMap<object, Set<string>>()

/**
 * Several statements as one group of the extended protocol: sent in one write with one Sync, answered in one go. The
 * server leaves out everything behind a statement that fails. Give it to `run`; it answers when the connection is
 * ready for the next query, so whatever comes out says in which state the connection is.
 */
class StatementGroup implements pg.Submittable {
  /** Set by `run`, and wrapped by `pg` when there is a query_timeout. */
  callback: (error: unknown, outcome?: GroupOutcome) => void
  readonly #statements: readonly Statement[]
  readonly #results: pg.Result[]
  readonly #fresh: string[] = []
  #reached = 0
  #error: unknown
  #failed = false
  /** Takes the listeners from the connection; null before anything was sent. */
  #release: (() => void) | null = null

  constructor(
    client: pg.ClientBase,
    statements: readonly Statement[],
    callback: (error: unknown, outcome?: GroupOutcome) => void
  ) {
    this.#statements = statements
    const own = { getTypeParser: client.getTypeParser.bind(client) }
    this.#results = statements.map(({ rowMode, types = own }) => {
      return new pg.Result(rowMode ?? '', types as typeof pg.types)
    })
    this.callback = callback
  }

  submit(given: pg.Connection): Error | null {
    const connection = given as unknown as Connection
    const known = prepared.get(connection) ?? new Set()
    prepared.set(connection, known)
    const onReady = ({ status }: { status?: string } = {}) => this.#settle(known, statusOf(status))
    const onEnd = () => this.#fail(new Error('Connection terminated unexpectedly'), known)
    connection.once('readyForQuery', onReady)
    connection.once('end', onEnd)
    this.#release = () => {
      connection.removeListener('readyForQuery', onReady)
      connection.removeListener('end', onEnd)
    }
    const { stream } = connection
    // the stream of the embedded database is no stream
    const canCork = typeof stream.cork === 'function'
    if (canCork) stream.cork()
    try {
      for (const statement of this.#statements) this.#send(connection, statement, known)
    } catch (error) {
      // a value that cannot be written: what was sent so far must not be committed, which needs another Sync
      this.#failed = true
      this.#error = error
    } finally {
      connection.sync()
      if (canCork) stream.uncork()
    }
    return null
  }

  #send(connection: Connection, { text, values = [], isPrepared, hasRows }: Statement, known: Set<string>) {
    const name = isPrepared ? nameOf(text) : ''
    if (name === '' || !known.has(name)) {
      // what is on the connection under this name is not known: closing what is not there is no error
      if (name !== '') connection.close({ type: 'S', name })
      connection.parse({ name, text })
      if (name !== '') this.#fresh.push(name)
    }
    connection.bind({ statement: name, values: [...values], valueMapper: prepareValue })
    if (hasRows === true) connection.describe({ type: 'P', name: '' })
    connection.execute({ portal: '' })
  }

  handleRowDescription({ fields }: { fields: pg.FieldDef[] }): void {
    this.#guarded(result => result.addFields(fields))
  }

  handleDataRow({ fields }: { fields: unknown[] }): void {
    // without a Describe nobody said what is in the row
    if (this.#statements[this.#reached]?.hasRows !== true) return
    this.#guarded(result => result.addRow(result.parseRow(fields)))
  }

  handleCommandComplete(message: unknown): void {
    this.#guarded(result => result.addCommandComplete(message))
    this.#reached++
  }

  handleEmptyQuery(): void {
    this.#reached++
  }

  /** From the server, which says ReadyForQuery or closes afterwards; or from `pg`, when neither will come. */
  handleError(error: unknown): void {
    // a group that still waits is told of the end of the connection in the server's words, and of nothing else
    if (this.#release === null || !isFromServer(error)) this.#fail(error)
    else if (!this.#failed) {
      this.#failed = true
      this.#error = error
    }
  }

  // `run` waits for the message itself, which says more than this call; and nothing is copied in a group
  handlePortalSuspended(): void {}
  handleReadyForQuery(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  /** A type parser that throws must fail the group, not the socket's listener. */
  #guarded(step: (result: ParsingResult) => void): void {
    const result = this.#results[this.#reached] as ParsingResult | undefined
    if (result === undefined || this.#failed) return
    try {
      step(result)
    } catch (error) {
      this.#failed = true
      this.#error = error
    }
  }

  #settle(known: Set<string>, status: ConnectionStatus): void {
    this.#release?.()
    const isWhole = this.#reached === this.#statements.length
    // a Parse that is left out is not known to have happened
    if (isWhole) for (const name of this.#fresh) known.add(name)
    const outcome = { results: this.#results, reached: this.#reached, status }
    this.callback(null, this.#failed ? { ...outcome, error: this.#error } : outcome)
  }

  #fail(error: unknown, known?: Set<string>): void {
    this.#release?.()
    known?.clear()
    this.callback(error)
  }
}

/** The methods of a result that are not in the types of `pg`. */
interface ParsingResult extends pg.Result {
  addFields(fields: pg.FieldDef[]): void
  parseRow(fields: unknown[]): pg.QueryResultRow
  addRow(row: pg.QueryResultRow): void
  addCommandComplete(message: unknown): void
}

function statusOf(status: string | undefined): ConnectionStatus {
  return status === 'I' || status === 'T' || status === 'E' ? status : null
}

function isFromServer(error: unknown): boolean {
  return error instanceof Error && 'severity' in error
}

/** One name for a text, so that a name that others prepared on a shared connection means the same statement. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `twinrule_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
  if (names.size < MAX_NAMES) names.set(text, name)
  return name
}

const names = new Map<string, string>()
const MAX_NAMES = 1000

/**
 * Sends statements as one group and waits until the connection is ready again. A statement that fails is part of the
 * outcome; so is a connection that broke, whose status is null.
 */
export function run(client: pg.ClientBase, statements: readonly Statement[]): Promise<GroupOutcome> {
  return new Promise(resolve => {
    const group = new StatementGroup(client, statements, (error, outcome) =>
      resolve(outcome ?? { results: [], reached: 0, status: null, error })
    )
    client.query(group)
  })
}
