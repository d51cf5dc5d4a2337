import { openEmbedded, refuseInProduction } from '../../db/embedded.js'
import { createFactsReader, type FactsReader } from '../../db/facts.js'
import { guardDatabase } from '../../db/guard.js'
import { createPool } from '../../db/pool.js'
import { createDriftCheck } from '../../drift/check.js'
import type { DriftReport } from '../../drift/finding.js'
import { DatabaseError } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { migrate } from '../../migrate/migrate.js'
import type { ServerConfig } from '../../server/config.js'
import type { Look } from '../../server/drift-watch.js'
import { type Io, variable } from '../io.js'
import { lockFolder } from './folder-lock.js'

/** What the source of facts is chosen by. */
export interface FactsSourceOptions {
  readonly bundle: Bundle
  readonly config: Pick<ServerConfig, 'databaseUrl' | 'poolSize' | 'factsTimeoutMs' | 'allowOldServer'>
  /** The folder of numbered migrations for the embedded database; undefined for that of twinrule. */
  readonly migrations: string | undefined
  readonly demo: boolean
  readonly io: Io
}

/** Where the embedded database keeps its data, seen from the working directory. */
const DATA_DIR = '.twinrule/data'

/** The most cases that are compared for a policy whose text was changed: no request waits much longer for that. */
const MODELS_OF_SERVICE = 20_000
/** Findings that a refusal to start names. */
const SHOWN = 5

/** Where the facts of decisions come from. */
export interface FactsSource {
  readonly facts: FactsReader
  /** Looks whether the database was changed by hand. The embedded one is nobody else's to change. */
  readonly look?: Look
}

/** The facts of decisions: from the server of DATABASE_URL once it is known to be safe, else from an embedded database. */
export function openFacts(options: FactsSourceOptions): Promise<FactsSource> {
  const { databaseUrl } = options.config
  return databaseUrl === undefined ? embeddedFacts(options) : serverFacts(databaseUrl, options)
}

async function serverFacts(url: string, { bundle, config, io }: FactsSourceOptions): Promise<FactsSource> {
  const pool = createPool(url, {
    size: config.poolSize,
    statementTimeoutMs: config.factsTimeoutMs,
    onError: error => io.err(`an idle database connection broke: ${error.message}\n`)
  })
  try {
    // safety: nothing is answered on a login that could go around the policies, or on other policies
    await guardDatabase(pool, bundle, {
      allowOldServer: config.allowOldServer,
      log: line => io.err(`${line}\n`)
    })
    const check = createDriftCheck(bundle, { maxModels: MODELS_OF_SERVICE })
    const look = () => check(pool)
    refuseDrift(await look())
    return { facts: createFactsReader(pool), look }
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** @throws DatabaseError TWR_DB_DRIFT */
function refuseDrift({ findings }: DriftReport): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const first = errors.slice(0, SHOWN).map(({ message }) => message)
  const more = errors.length > SHOWN ? [`and ${errors.length - SHOWN} more`] : []
  throw new DatabaseError(
    'TWR_DB_DRIFT',
    `the database is not what its last migration left: ${[...first, ...more].join('; ')}`,
    {
      hint: '`twinrule drift --database URL` shows all of it, and `twinrule migrate --database URL` as a superuser puts it back'
    }
  )
}

async function embeddedFacts({
  bundle,
  config,
  migrations,
  demo,
  io
}: FactsSourceOptions): Promise<FactsSource> {
  const folder = migrations === undefined ? {} : { migrationsDir: migrations }
  refuseInProduction(io.env)
  const dataDir = variable(io, 'TWINRULE_DATA_DIR') ?? DATA_DIR
  const unlock = await lockFolder(dataDir)
  try {
    io.err(`DATABASE_URL is not set: starting an embedded PostgreSQL in ${dataDir}\n`)
    const { pool, close } = await openEmbedded({
      dataDir,
      env: io.env,
      prepare: async client => {
        const { steps } = await migrate({
          database: client,
          bundle,
          demo,
          // nobody else is connected
          indexes: 'plain',
          allowOldServer: config.allowOldServer,
          ...folder
        })
        for (const step of steps) io.err(`  ${step}\n`)
      }
    })
    return { facts: { ...createFactsReader(pool), close: () => close().finally(unlock) } }
  } catch (error) {
    unlock()
    throw error
  }
}
