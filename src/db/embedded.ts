import pg from 'pg'
import { ROLES } from '../backends/sql/names.js'
import { ConfigError } from '../errors/errors.js'
import { withListeners } from './pool.js'

/** How to start the embedded database. */
export interface EmbeddedOptions {
  /** The folder that keeps the data; null keeps it in memory. */
  readonly dataDir: string | null
  /** Called once as superuser, before the pool becomes the service's login: migrates and loads data. */
  readonly prepare: (client: pg.ClientBase) => Promise<void>
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** A running embedded database. */
export interface Embedded {
  /** One connection, logged in as the decision service. */
  readonly pool: pg.Pool
  close(): Promise<void>
}

/**
 * PostgreSQL inside of this process (PGlite), for a first look and for development. It has one backend, so the pool
 * has one connection, and it does not enforce statement timeouts.
 *
 * @throws ConfigError TWR_CONFIG_EMBEDDED when the package is not installed, or in production without a flag
 */
export async function openEmbedded({
  dataDir,
  prepare,
  env = process.env
}: EmbeddedOptions): Promise<Embedded> {
  refuseInProduction(env)
  const { PGlite, createPgConfig } = await loadPackage()
  const engine = await PGlite.create(dataDir === null ? {} : { dataDir })
  // safety: a second connection would run inside of the transaction of the first one
  const pool = withListeners(
    new pg.Pool({ ...createPgConfig(engine), max: 1, idleTimeoutMillis: 0 }),
    undefined
  )
  const close = async () => {
    await pool.end()
    await engine.close()
  }
  try {
    await becomeService(pool, prepare)
    return { pool, close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Says no before anything is written to disk.
 *
 * @throws ConfigError TWR_CONFIG_EMBEDDED in production without a flag
 */
export function refuseInProduction(env: Readonly<Record<string, string | undefined>>): void {
  if (env['NODE_ENV'] !== 'production' || env['TWINRULE_ALLOW_EMBEDDED'] === '1') return
  throw new ConfigError('TWR_CONFIG_EMBEDDED', 'the embedded database is not for production', {
    hint: 'set DATABASE_URL to a PostgreSQL server, or TWINRULE_ALLOW_EMBEDDED=1 to use it all the same'
  })
}

async function becomeService(pool: pg.Pool, prepare: EmbeddedOptions['prepare']): Promise<void> {
  const client = await pool.connect()
  try {
    await prepare(client)
    // safety: from here on the only connection is the service's login, as it would be on a server
    await client.query(`SET SESSION AUTHORIZATION ${ROLES.service}`)
  } finally {
    client.release()
  }
}

async function loadPackage() {
  try {
    const [{ PGlite }, { createPgConfig }] = await Promise.all([
      import('@electric-sql/pglite'),
      import('@electric-sql/pglite/node-postgres')
    ])
    return { PGlite, createPgConfig }
  } catch (cause) {
    throw new ConfigError('TWR_CONFIG_EMBEDDED', 'the embedded database is not installed', {
      hint: 'set DATABASE_URL to a PostgreSQL server, or run `npm install @electric-sql/pglite`',
      cause
    })
  }
}
