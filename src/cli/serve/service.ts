import { randomBytes } from 'node:crypto'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { readConfig, type ServerConfig } from '../../server/config.js'
import type { RunningServer } from '../../server/start.js'
import type { Io } from '../io.js'
import { bannerText } from './banner.js'
import type { FactsSource, FactsSourceOptions } from './facts-source.js'

/** The flags of `twinrule serve`. */
export interface ServeOptions {
  readonly policies: string
  /** The folder of the embedded database's numbered migrations; by default the one that comes with twinrule. */
  readonly migrations?: string
  readonly demo?: boolean
  /** No database: callers bring all facts with their questions. */
  readonly stateless?: boolean
}

/** Bytes of a random API key. */
const KEY_BYTES = 24

/**
 * Starts the service from policies, environment and flags, and prints how to reach it.
 *
 * @throws PolicyProblems, ConfigError, or DatabaseError when the database is not safe to use; nothing runs then
 */
export async function startService(
  { policies, migrations, demo = false, stateless = false }: ServeOptions,
  io: Io
): Promise<RunningServer> {
  const config = readConfig(io.env)
  if (stateless) refuseDatabase(config, { demo, migrations })
  refuseUseless(config, migrations)
  refuseLists(config)
  const apiKeys = keysOf(config, stateless)
  const { bundle, problems } = await loadFolder(policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const source: FactsSource | { readonly facts: null; readonly checked?: undefined } = stateless
    ? { facts: null }
    : await openFacts({ bundle, config, migrations, demo, io })
  const { createEngine, startServer } = await loadServer()
  // safety: before anything listens
  await source.checked
  const server = await startServer({
    engine: createEngine(bundle),
    ...source,
    config: { ...config, apiKeys }
  })
  const database = stateless ? 'none' : config.databaseUrl === undefined ? 'embedded' : 'server'
  const types = bundle.resources.map(({ name }) => name)
  // safety: the key of a real service does not belong into its output, which ends in log archives
  const key = database === 'embedded' || demo ? apiKeys[0] : undefined
  io.out(bannerText({ address: server.address, revision: bundle.revision, database, demo, types, key }))
  return server
}

/** Loads what answers, which takes as long as the database takes to say whether it is as it should be. */
async function loadServer() {
  const { createEngine } = await import('../../engine/engine.js')
  const { startServer } = await import('../../server/start.js')
  return { createEngine, startServer }
}

/** Loads nothing of what the other one needs, which is most of the program: it would be the longest part of a start. */
async function openFacts(options: FactsSourceOptions): Promise<FactsSource> {
  const { databaseUrl } = options.config
  if (databaseUrl === undefined) return (await import('./embedded-facts.js')).embeddedFacts(options)
  return (await import('./server-facts.js')).serverFacts(databaseUrl, options)
}

/** A server's database is migrated by `twinrule migrate`: the folder would be passed over in silence. */
function refuseUseless({ databaseUrl }: ServerConfig, migrations: string | undefined): void {
  if (databaseUrl === undefined || migrations === undefined) return
  throw new ConfigError(
    'TWR_CONFIG',
    '--migrations is for the embedded database, and DATABASE_URL names a server',
    {
      hint: 'leave it out, and migrate the server with `twinrule migrate --migrations DIR --database URL`'
    }
  )
}

/** The embedded database has its own login for lists, and a stateless service no rows. */
function refuseLists({ databaseUrl, listDatabaseUrl }: ServerConfig): void {
  if (databaseUrl !== undefined || listDatabaseUrl === undefined) return
  throw new ConfigError('TWR_CONFIG', 'TWINRULE_LIST_DATABASE_URL is set and DATABASE_URL is not', {
    hint: 'set DATABASE_URL to the login twinrule_service of the same database, or neither of them'
  })
}

/**
 * safety: whoever asks a stateless service decides what is true, so it must be meant. A database that is named or filled,
 * and then not read, is a mistake.
 */
function refuseDatabase(
  { databaseUrl }: ServerConfig,
  { demo, migrations }: { readonly demo: boolean; readonly migrations: string | undefined }
): void {
  const useless =
    databaseUrl !== undefined
      ? 'DATABASE_URL is set'
      : migrations !== undefined
        ? '--migrations is given'
        : demo
          ? '--demo is given'
          : null
  if (useless === null) return
  throw new ConfigError('TWR_CONFIG', `--stateless reads no database, and ${useless}`, {
    hint: 'leave one of them out: a stateless service decides from what callers send, and nothing else'
  })
}

/** The keys of callers. The embedded database is for a first look, so there a random one will do. */
function keysOf({ apiKeys, databaseUrl }: ServerConfig, stateless: boolean): readonly string[] {
  if (apiKeys.length > 0) return apiKeys
  if (databaseUrl === undefined && !stateless) return [randomBytes(KEY_BYTES).toString('base64url')]
  throw new ConfigError('TWR_CONFIG', 'TWINRULE_API_KEYS is not set', {
    hint: 'with DATABASE_URL or --stateless it is needed: one or more keys, separated by commas; `openssl rand -hex 32` makes one'
  })
}
