import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { findBinaries } from './binaries.js'
import { type ExitGuard, makeData, removeOnExit, serverUser, startServer } from './server.js'

/** The password that tests give to every login role, so that parallel test files never disagree about it. */
export const TEST_PASSWORD = 'twinrule-test'

/** The one role that an own cluster asks for its password; every other may log in without. */
export const SCRAM_ROLE = 'twinrule_scram_probe'

/** A database of its own for one test file. */
export interface Database {
  readonly name: string
  /** The URL of a login role; without one, of the superuser. */
  url(role?: string, password?: string): string
  /** A connected client, closed by the caller. */
  client(role?: string, password?: string): Promise<pg.Client>
  drop(): Promise<void>
}

/** A PostgreSQL server that nobody else uses. */
export interface Cluster {
  readonly adminUrl: string
  /** Whether this process started the server, so that its pg_hba.conf is the one written here. */
  readonly own: boolean
  /** A database of its own, empty unless it is a copy of another, to which nobody is connected. */
  database(name?: string, template?: string): Promise<Database>
  stop(): Promise<void>
}

/** The server that tests run on, or the one of the registry, for what has to hold on another version as well. */
export type Postgres = 'usual' | 'registry'

const started = new Map<Postgres, Promise<Cluster>>()

/** The cluster of this process: TWINRULE_TEST_CLUSTER_URL or TWINRULE_TEST_DATABASE_URL when set, else a fresh one. */
export function startCluster(postgres: Postgres = 'usual'): Promise<Cluster> {
  const cluster = started.get(postgres) ?? launch(postgres)
  started.set(postgres, cluster)
  return cluster
}

/** A fresh database that is dropped, and the cluster stopped, when the test file ends. */
export async function createDatabase(
  t: { teardown(after: () => Promise<void>): void },
  on?: Postgres | Cluster
): Promise<Database> {
  const cluster = typeof on === 'object' ? on : await startCluster(on)
  const database = await cluster.database()
  t.teardown(() => database.drop())
  return database
}

async function launch(postgres: Postgres): Promise<Cluster> {
  const given = process.env['TWINRULE_TEST_CLUSTER_URL'] ?? process.env['TWINRULE_TEST_DATABASE_URL']
  const usual = postgres === 'usual' ? given : undefined
  if (usual !== undefined && usual !== '') return clusterAt(usual, false, async () => {})
  const folder = mkdtempSync(join(tmpdir(), 'twinrule-pg-'))
  const stopNow = removeOnExit(folder)
  try {
    return await initialise(folder, stopNow, postgres)
  } catch (error) {
    stopNow.now()
    throw error
  }
}

async function initialise(folder: string, guard: ExitGuard, postgres: Postgres): Promise<Cluster> {
  const server = {
    folder,
    guard,
    bin: await findBinaries(folder, postgres === 'usual'),
    user: serverUser(folder)
  }
  const data = makeData(server, 'data')
  const hba = join(data, 'pg_hba.conf')
  const trust = await readFile(hba, 'utf8')
  await writeFile(hba, `host all ${SCRAM_ROLE} 127.0.0.1/32 scram-sha-256\n${trust}`)
  return clusterAt(await startServer(server, data), true, async () => guard.now())
}

/** The server at a URL of its superuser. */
export function clusterAt(adminUrl: string, own: boolean, stop: () => Promise<void>): Cluster {
  return {
    adminUrl,
    own,
    stop,
    async database(name = `twinrule_test_${randomBytes(6).toString('hex')}`, template = 'template1') {
      await asAdmin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`)
      return databaseAt(adminUrl, name)
    }
  }
}

/** A database of the server at a URL of its superuser. */
export function databaseAt(adminUrl: string, name: string): Database {
  const url = (role?: string, password = TEST_PASSWORD) => {
    const to = new URL(adminUrl)
    to.pathname = `/${name}`
    if (role !== undefined) Object.assign(to, { username: role, password })
    return to.toString()
  }
  return {
    name,
    url,
    async client(role, password) {
      const client = new pg.Client(url(role, password))
      // a server that goes away must fail the test that uses it, not the process
      client.on('error', () => {})
      await client.connect()
      return client
    },
    drop: () => asAdmin(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
}

async function asAdmin(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client(adminUrl)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
