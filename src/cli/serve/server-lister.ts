import pg from 'pg'
import { ROLES } from '../../backends/sql/names.js'
import { CONTEXT_SQLSTATE } from '../../backends/sql/seal.js'
import { tenantList } from '../../client/tenant-list.js'
import { type TenantPool, tenantPool } from '../../client/tenant-pool.js'
import { tenantQuery } from '../../client/tenant-query.js'
import { type ContextKey, contextKey } from '../../db/context-token.js'
import { databaseFault, LISTS } from '../../db/fault.js'
import { guardListLogin } from '../../db/guard.js'
import { createPool } from '../../db/pool.js'
import { ConfigError, DatabaseError } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import type { Lister } from '../../server/lister.js'
import type { FactsSourceOptions } from './facts-source.js'

const NIL = '00000000-0000-0000-0000-000000000000'
const NOBODY = { userId: NIL, tenantId: NIL }
const DATABASE = `SELECT c.system_identifier || '/' || d.oid AS it
  FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database AS d WHERE d.datname = current_database()`

/**
 * Lists from the server of `url`, once it is known that the login is safe and that its key counts.
 *
 * @param facts the pool of the service's own login, of the same database
 */
export async function serverLister(
  url: string,
  facts: pg.Pool,
  { bundle, config, io }: FactsSourceOptions
): Promise<Lister> {
  const key = keyOf(bundle, config.contextKey)
  const pool = createPool(url, {
    size: config.poolSize,
    statementTimeoutMs: config.factsTimeoutMs,
    onError: error => io.err(`an idle database connection for lists broke: ${error.message}\n`)
  })
  try {
    const tenants = tenantPool(pool, { key })
    // safety: row-level security does not hold a login that could go around it
    await guardListLogin(pool, bundle)
    await refuseOther(pool, facts)
    await tryKey(tenants)
    return {
      list: (principal, query) =>
        tenantList(tenants, principal, bundle, query, { revision: bundle.revision }).catch(refuse),
      close: () => pool.end()
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}

function keyOf({ context }: Bundle, text: string | undefined): ContextKey | null {
  if (context === 'plain') return null
  if (text !== undefined) return contextKey(text)
  throw new ConfigError('TWR_CONFIG', 'TWINRULE_LIST_DATABASE_URL is set and TWINRULE_CONTEXT_KEY is not', {
    hint: 'set it to a key that `twinrule keys add` prints, with which it is signed for whom a list is read'
  })
}

/** safety: that the policies are those that were loaded is known of the database of DATABASE_URL alone */
async function refuseOther(pool: pg.Pool, facts: pg.Pool): Promise<void> {
  const [here, there] = await Promise.all([identityOf(pool), identityOf(facts)])
  if (here !== undefined && here === there) return
  throw new ConfigError('TWR_CONFIG', 'TWINRULE_LIST_DATABASE_URL names another database than DATABASE_URL', {
    hint: 'both are the same database, or the one of lists is a standby of it'
  })
}

async function identityOf(pool: pg.Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ it: string }>(DATABASE).catch((cause: unknown) => {
    const fault = databaseFault(cause)
    if (fault.code !== 'TWR_DB_UNSAFE_ROLE') throw fault
    throw new ConfigError('TWR_CONFIG', 'it is not known whether both logins are of one database', {
      hint: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO ${ROLES.service}, ${ROLES.app}`,
      cause
    })
  })
  return rows[0]?.it
}

/** Asks for nobody: a key that counts is answered with no, any other with an error. */
async function tryKey(tenants: TenantPool): Promise<void> {
  const cause: unknown = await tenantQuery(tenants, NOBODY, 'SELECT').catch((error: unknown) => error)
  if (cause instanceof DatabaseError && cause.code === 'TWR_DB_NOT_MEMBER') return
  if (cause instanceof pg.DatabaseError && cause.code === CONTEXT_SQLSTATE) {
    throw new ConfigError(
      'TWR_CONFIG',
      `the database refuses what TWINRULE_CONTEXT_KEY signs: ${cause.message}`,
      { hint: `${cause.hint ?? ''}; \`twinrule keys list\` shows the keys that count`, cause }
    )
  }
  return refuse(cause)
}

function refuse(cause: unknown): never {
  throw databaseFault(cause, LISTS)
}
