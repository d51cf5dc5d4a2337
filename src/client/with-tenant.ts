import type pg from 'pg'
import type { ContextPrincipal } from '../db/context-token.js'
import { DatabaseError } from '../errors/errors.js'
import { insideOf } from './nesting.js'
import type { Statement } from './statement-group.js'
import type { TenantPool } from './tenant-pool.js'
import { begin, type Connected, plain, sent, withConnection } from './transaction.js'

/** What the work of a transaction is given: a `pg` client that is the tenant's until the work has ended. */
export interface TenantClient {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    query: string | pg.QueryConfig,
    values?: readonly unknown[]
  ): Promise<pg.QueryResult<R>>
  query<R extends unknown[] = unknown[]>(
    query: pg.QueryArrayConfig,
    values?: readonly unknown[]
  ): Promise<pg.QueryArrayResult<R>>
  /** For cursors and streams, which have to be read to their end or closed inside of the work. */
  query<S extends pg.Submittable>(query: S): S
}

/** How a transaction is begun. */
export interface TransactionOptions {
  /** Default: that of the database, which is read committed unless somebody set another one. */
  readonly isolation?: keyof typeof ISOLATION
  readonly readOnly?: boolean
}

const ISOLATION = {
  'read committed': 'ISOLATION LEVEL READ COMMITTED',
  'repeatable read': 'ISOLATION LEVEL REPEATABLE READ',
  serializable: 'ISOLATION LEVEL SERIALIZABLE'
} as const

/** The role in which a platform administrator sees what his rules allow, unless the policy names another one. */
const ADMIN_ROLE = 'authz_platform_admin'

/**
 * Runs `work` in one transaction of a user in a tenant. The transaction and its context are opened by one message,
 * and both end with the work: COMMIT when it returns, ROLLBACK when it throws. The client refuses whatever is asked
 * of it afterwards.
 *
 * @throws DatabaseError TWR_DB_NOT_MEMBER when the user is no active member of the tenant, and nothing has run then;
 * TWR_DB_TRANSACTION for one inside of another, or when a failed statement was ignored; and whatever the work throws
 */
export function withTenant<T>(
  tenants: TenantPool,
  principal: ContextPrincipal,
  work: (client: TenantClient) => Promise<T>,
  options: TransactionOptions = {}
): Promise<T> {
  return inTransaction(tenants, principal, work, { ...options, inside: () => [] })
}

/**
 * The same in the role of a platform administrator. The database keeps who entered it, when and why, so this is not
 * for read-only connections.
 *
 * @param entry.reason kept with the record
 * @param entry.role the role of the role flag, unless it is `authz_platform_admin`
 * @throws error 42501 of the server when the user may not enter the role; as `withTenant` otherwise
 */
export function asPlatformAdmin<T>(
  tenants: TenantPool,
  principal: ContextPrincipal,
  entry: { readonly reason: string; readonly role?: string },
  work: (client: TenantClient) => Promise<T>
): Promise<T> {
  const enter = (): readonly Statement[] => [
    {
      text: 'SELECT twinrule.enter_role($1, $2)',
      values: [entry.role ?? ADMIN_ROLE, entry.reason],
      isPrepared: tenants.isPreparing
    }
  ]
  return inTransaction(tenants, principal, work, { inside: enter })
}

function inTransaction<T>(
  tenants: TenantPool,
  principal: ContextPrincipal,
  work: (client: TenantClient) => Promise<T>,
  options: TransactionOptions & { readonly inside: () => readonly Statement[] }
): Promise<T> {
  return withConnection(tenants, async connected => {
    await begin(tenants, connected, principal, { begin: beginText(options), inside: options.inside })
    const handle = new Handle(connected.client)
    let result: T
    try {
      result = await insideOf(tenants.pool, () => work(handle.client))
    } catch (error) {
      // `pg` has given up a statement that still runs: there is nothing to be said on this connection any more
      if (isReadTimeout(error)) connected.status = null
      throw error
    } finally {
      handle.end()
    }
    await commit(connected)
    return result
  })
}

function beginText({ isolation, readOnly }: TransactionOptions): string {
  const modes = [
    ...(isolation === undefined ? [] : [ISOLATION[isolation]]),
    ...(readOnly === undefined ? [] : [readOnly ? 'READ ONLY' : 'READ WRITE'])
  ]
  return ['BEGIN', ...modes].join(' ')
}

async function commit(connected: Connected): Promise<void> {
  // not prepared: behind a pooler that does not know it, what was done would be lost
  const { results, error } = await sent(connected, [plain('COMMIT')])
  if (error !== undefined) throw error
  // a transaction with a failed statement answers COMMIT with ROLLBACK, and that is no error to PostgreSQL
  if (results[0]?.command === 'COMMIT') return
  throw new DatabaseError('TWR_DB_TRANSACTION', 'nothing was committed: a statement of the work had failed', {
    hint: 'let the error of the statement out of the work, or keep the statement behind a SAVEPOINT'
  })
}

/** The client of a transaction, for as long as it lasts. */
class Handle {
  readonly client: TenantClient
  #isOpen = true

  constructor(client: pg.PoolClient) {
    const query = (...args: Parameters<typeof client.query>): unknown => {
      const refusal = this.#refusalOf(args[0])
      if (refusal === null) return client.query(...args)
      if (isSubmittable(args[0])) throw refusal
      return Promise.reject(refusal)
    }
    this.client = Object.freeze({ query: query as unknown as TenantClient['query'] })
  }

  end(): void {
    this.#isOpen = false
  }

  #refusalOf(query: unknown): DatabaseError | null {
    // safety: the connection may be in the middle of another tenant's transaction by now
    if (!this.#isOpen) {
      return new DatabaseError('TWR_DB_TRANSACTION', 'the transaction of the tenant has ended', {
        hint: 'await every query inside of the work'
      })
    }
    // a courtesy, no lock: behind it the context is gone and nobody sees anything
    if (!TRANSACTION.test(textOf(query))) return null
    return new DatabaseError('TWR_DB_TRANSACTION', 'the work may not begin or end transactions itself', {
      hint: 'it is in one already; SAVEPOINT and ROLLBACK TO are for parts of it'
    })
  }
}

/** Statements after which the transaction of the tenant would be over, or which would begin another one. */
const TRANSACTION =
  /^\s*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!.*\bto\b))\b/is

function textOf(query: unknown): string {
  if (typeof query === 'string') return query
  const isConfig = typeof query === 'object' && query !== null && 'text' in query
  return isConfig && typeof query.text === 'string' ? query.text : ''
}

function isSubmittable(query: unknown): boolean {
  return typeof query === 'object' && query !== null && 'submit' in query
}

function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}
