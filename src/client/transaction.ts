import type pg from 'pg'
import type { ContextPrincipal } from '../db/context-token.js'
import { DatabaseError } from '../errors/errors.js'
import { refuseNested } from './nesting.js'
import { type ConnectionStatus, type GroupOutcome, run, type Statement } from './statement-group.js'
import { contextStatement, type TenantPool } from './tenant-pool.js'

/** A connection that is used for one principal, and may go back to its pool in the end. */
export interface Connected {
  readonly client: pg.PoolClient
  /** What is known of the transaction on it; whoever sends something says so here. */
  status: ConnectionStatus
}

/** Somebody else's tenant, or nobody's any more. Frameworks answer it with 403. */
export class NotMemberError extends DatabaseError {
  readonly statusCode = 403

  constructor() {
    super('TWR_DB_NOT_MEMBER', 'the user is no active member of an active tenant', {
      hint: 'the membership, the tenant or both may have ended since the user logged in'
    })
  }
}

/** The server does not know the prepared statement: another one answers than the one where it was prepared. */
const UNKNOWN_STATEMENT = '26000'
const DIVISION_BY_ZERO = '22012'

/**
 * Gives work a connection that nobody else uses. It goes back to the pool without a transaction, or not at all.
 *
 * @throws DatabaseError TWR_DB_TRANSACTION inside of another one, and whatever the pool and the work throw
 */
export async function withConnection<T>(
  { pool }: TenantPool,
  work: (connected: Connected) => Promise<T>
): Promise<T> {
  refuseNested(pool)
  const client = await pool.connect()
  // the server may close a connection that is in use: that fails the statement, and must not end the process
  const onError = () => {}
  client.on('error', onError)
  const connected: Connected = { client, status: 'I' }
  try {
    return await work(connected)
  } finally {
    if (connected.status === 'T' || connected.status === 'E') {
      connected.status = (await run(client, [plain('ROLLBACK')])).status
    }
    client.off('error', onError)
    // safety: a connection of which it is not known that its transaction has ended is nobody's any more
    client.release(connected.status !== 'I')
  }
}

/** A statement without values and rows. */
export function plain(text: string, isPrepared = false): Statement {
  return { text, isPrepared }
}

/**
 * Begins a transaction of a principal in one message, with what follows in it.
 *
 * @param options.begin the statement that begins it
 * @param options.inside what is sent behind the context, made anew when it has to be sent again
 * @throws DatabaseError TWR_DB_NOT_MEMBER, and what the server refuses
 */
export async function begin(
  tenants: TenantPool,
  connected: Connected,
  principal: ContextPrincipal,
  options: { readonly begin: string; readonly inside: () => readonly Statement[] }
): Promise<readonly pg.QueryResult[]> {
  const send = () =>
    sent(connected, [
      plain(options.begin, tenants.isPreparing),
      contextStatement(tenants, principal),
      ...options.inside()
    ])
  // others that were sent at the same time may have found out first
  const { isPreparing } = tenants
  let outcome = await send()
  if (isPreparing && stateOf(outcome.error) === UNKNOWN_STATEMENT) {
    tenants.isPreparing = false
    // a connection that breaks here is what failed: the statement that was not there is no longer to be told of
    if (connected.status === 'E') outcome = await sent(connected, [plain('ROLLBACK')])
    if (connected.status === 'I') outcome = await send()
  }
  if (outcome.error === undefined) return outcome.results
  if (outcome.reached === 1 && stateOf(outcome.error) === DIVISION_BY_ZERO) {
    throw new NotMemberError()
  }
  throw outcome.error
}

/** Sends a group, and notes in which state it leaves the connection. */
export async function sent(connected: Connected, statements: readonly Statement[]): Promise<GroupOutcome> {
  const outcome = await run(connected.client, statements)
  connected.status = outcome.status
  return outcome
}

function stateOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
