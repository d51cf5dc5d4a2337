import { newContextKey } from '../../db/context-token.js'
import { openEmbedded, refuseInProduction } from '../../db/embedded.js'
import { createFactsReader } from '../../db/facts.js'
import { renewKey } from '../../migrate/keys.js'
import { migrate } from '../../migrate/migrate.js'
import { variable } from '../io.js'
import { embeddedLister } from './embedded-lister.js'
import type { FactsSource, FactsSourceOptions } from './facts-source.js'
import { lockFolder } from './folder-lock.js'

/** Where the embedded database keeps its data, seen from the working directory. */
const DATA_DIR = '.twinrule/data'
/** The name of the key that signs for whom lists are read. Nobody else has it, so each start makes it anew. */
const KID = 'embedded'

/** Facts and lists from an embedded database, brought to the policy first. */
export async function embeddedFacts({
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
    const key = bundle.context === 'plain' ? null : newContextKey(KID)
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
        if (key !== null) await renewKey(client, key)
      }
    })
    return {
      facts: { ...createFactsReader(pool), close: () => close().finally(unlock) },
      lister: embeddedLister(pool, bundle, key)
    }
  } catch (error) {
    unlock()
    throw error
  }
}
