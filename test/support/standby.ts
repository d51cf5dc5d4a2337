import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findBinaries } from './binaries.js'
import { type Cluster, clusterAt, type Database, databaseAt, type Postgres } from './cluster.js'
import { makeData, removeOnExit, serverUser, startServer } from './server.js'

/** What initdb has written down; a standby may not allow less. */
const LIMITS = { max_connections: '100' }

/** Two servers that nobody else uses, of which one repeats what is written to the other. */
export interface Replicated {
  readonly primary: Cluster
  /** A database of the primary on its standby, once that has everything that was written so far. */
  onStandby(database: Database): Promise<Database>
}

/** Starts a primary and its hot standby. Both are gone when the test ends. */
export async function startReplicated(
  t: { teardown(after: () => void): void },
  postgres: Postgres
): Promise<Replicated> {
  const folder = mkdtempSync(join(tmpdir(), 'twinrule-standby-'))
  const guard = removeOnExit(folder)
  t.teardown(guard.now)
  const user = serverUser(folder)
  const files = { folder, guard, user, bin: await findBinaries(folder, postgres === 'usual') }
  const data = makeData(files, 'primary')
  // a copy of a cluster that has never been started is a standby that has everything before it
  const [command = '', ...args] = [
    ...user,
    'sh',
    '-c',
    'cp -a primary standby && touch standby/standby.signal'
  ]
  execFileSync(command, args, { cwd: folder })
  const primaryUrl = await startServer(files, data, { ...LIMITS, wal_keep_size: '1GB' })
  const { hostname, port, username } = new URL(primaryUrl)
  const standbyUrl = await startServer(files, join(folder, 'standby'), {
    ...LIMITS,
    primary_conninfo: `host=${hostname} port=${port} user=${username}`
  })
  return {
    primary: clusterAt(primaryUrl, true, async () => guard.now()),
    async onStandby(database) {
      const copy = databaseAt(standbyUrl, database.name)
      await untilCaughtUp(database, databaseAt(standbyUrl, 'postgres'))
      return copy
    }
  }
}

async function untilCaughtUp(primary: Database, standby: Database): Promise<void> {
  const [from, to] = await Promise.all([primary.client(), standby.client()])
  try {
    const { rows } = await from.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
    for (let attempt = 0; attempt < 400; attempt++) {
      const reached = await to.query<{ done: boolean | null }>(
        'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done',
        [rows[0]?.lsn]
      )
      if (reached.rows[0]?.done === true) return
      await sleep(50)
    }
    throw new Error('the standby does not follow its primary')
  } finally {
    await Promise.all([from.end(), to.end()])
  }
}
