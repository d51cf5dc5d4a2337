import pg from 'pg'

/** Limits of the pool. All times in milliseconds. */
export interface PoolOptions {
  /** Connections at most. Default 10. */
  readonly size?: number
  /** To get a connection, a free one or a new one. Default 2000. */
  readonly connectTimeoutMs?: number
  /** For one statement, on the server. Default 1000. */
  readonly statementTimeoutMs?: number
  /** Told about connections that broke while idle, which is no failure of a request. */
  readonly onError?: (error: Error) => void
}

/**
 * A pool for the decision service. A statement is given up on the server first and, should the server not answer at
 * all, in the client a little later; a connection that saw an error is not used again.
 */
export function createPool(url: string, options: PoolOptions = {}): pg.Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 1000
  const pool = new pg.Pool({
    connectionString: url,
    max: options.size ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 2000,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 250,
    idle_in_transaction_session_timeout: 5000,
    application_name: 'twinrule',
    keepAlive: true
  })
  return withListeners(pool, options.onError)
}

/** Without a listener of its own a connection that is killed would end the process, idle or in use. */
export function withListeners(pool: pg.Pool, onError: ((error: Error) => void) | undefined): pg.Pool {
  pool.on('error', error => onError?.(error))
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}
