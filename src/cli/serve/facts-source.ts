import type { FactsReader } from '../../db/facts.js'
import type { Bundle } from '../../ir/model.js'
import type { ServerConfig } from '../../server/config.js'
import type { Look } from '../../server/drift-watch.js'
import type { Lister } from '../../server/lister.js'
import type { Io } from '../io.js'

/** What the source of facts is chosen by. */
export interface FactsSourceOptions {
  readonly bundle: Bundle
  readonly config: Pick<
    ServerConfig,
    'databaseUrl' | 'listDatabaseUrl' | 'contextKey' | 'poolSize' | 'factsTimeoutMs' | 'allowOldServer'
  >
  /** The folder of numbered migrations for the embedded database; undefined for that of twinrule. */
  readonly migrations: string | undefined
  readonly demo: boolean
  readonly io: Io
}

/** Where the facts of decisions and the rows of lists come from. */
export interface FactsSource {
  readonly facts: FactsReader
  /** Without a login for lists there is none. */
  readonly lister?: Lister
  /** Looks whether the database was changed by hand. The embedded one is nobody else's to change. */
  readonly look?: Look
  /** safety: nothing listens before this is settled, and never when it rejects. The facts are closed then. */
  readonly checked?: Promise<void>
}
