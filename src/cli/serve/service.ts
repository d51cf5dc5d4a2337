import { randomBytes } from 'node:crypto'
import { createEngine } from '../../engine/engine.js'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { readConfig, type ServerConfig } from '../../server/config.js'
import { type RunningServer, startServer } from '../../server/start.js'
import type { Io } from '../io.js'
import { bannerText } from './banner.js'
import { openFacts } from './facts-source.js'

/** The flags of `twinrule serve`. */
export interface ServeOptions {
  readonly policies: string
  /** The folder of the embedded database's numbered migrations; by default the one that comes with twinrule. */
  readonly migrations?: string
  readonly demo?: boolean
}

/** Bytes of a random API key. */
const KEY_BYTES = 24

/**
 * Starts the service from policies, environment and flags, and prints how to reach it.
 *
 * @throws PolicyProblems, ConfigError, or DatabaseError when the database is not safe to use; nothing runs then
 */
export async function startService(
  { policies, migrations, demo = false }: ServeOptions,
  io: Io
): Promise<RunningServer> {
  const config = readConfig(io.env)
  refuseUseless(config, migrations)
  const apiKeys = keysOf(config)
  const { bundle, problems } = await loadFolder(policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const engine = createEngine(bundle)
  const source = await openFacts({ bundle, config, migrations, demo, io })
  const server = await startServer({ engine, ...source, config: { ...config, apiKeys } })
  const embedded = config.databaseUrl === undefined
  const types = bundle.resources.map(({ name }) => name)
  // safety: the key of a real service does not belong into its output, which ends in log archives
  const key = embedded || demo ? apiKeys[0] : undefined
  io.out(bannerText({ address: server.address, revision: bundle.revision, embedded, demo, types, key }))
  return server
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

/** The keys of callers. The embedded database is for a first look, so there a random one will do. */
function keysOf({ apiKeys, databaseUrl }: ServerConfig): readonly string[] {
  if (apiKeys.length > 0) return apiKeys
  if (databaseUrl === undefined) return [randomBytes(KEY_BYTES).toString('base64url')]
  throw new ConfigError('TWR_CONFIG', 'TWINRULE_API_KEYS is not set', {
    hint: 'with DATABASE_URL it is needed: one or more keys, separated by commas; `openssl rand -hex 32` makes one'
  })
}
