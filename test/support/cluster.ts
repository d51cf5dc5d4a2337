import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { findBinaries } from './binaries.js'

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
  postgres?: Postgres
): Promise<Database> {
  const cluster = await startCluster(postgres)
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

interface ExitGuard {
  child: ChildProcess | null
  now(): void
}

/** The server and its folder go when the process does, whatever the reason. */
function removeOnExit(folder: string): ExitGuard {
  let done = false
  const guard: ExitGuard = {
    child: null,
    now() {
      if (done) return
      done = true
      const { child } = guard
      if (child !== null) {
        child.kill('SIGQUIT')
        // the exit handler cannot await: give the server up to two seconds to leave its folder
        for (let i = 0; i < 40 && isAlive(child); i++)
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
  process.once('exit', guard.now)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      guard.now()
      process.exit(1)
    })
  }
  return guard
}

/** Node reaps a dead child only when its loop turns, so a zombie counts as gone here. */
function isAlive(child: ChildProcess): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function initialise(folder: string, guard: ExitGuard, postgres: Postgres): Promise<Cluster> {
  const bin = await findBinaries(folder, postgres === 'usual')
  const asServer = serverUser(folder)
  const data = join(folder, 'data')
  const run = (program: string, args: readonly string[]) => {
    const [command = program, ...rest] = [...asServer, join(bin, program), ...args]
    return { command, args: rest }
  }
  const init = run('initdb', [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync'
  ])
  execFileSync(init.command, init.args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder })
  const trust = await readFile(join(data, 'pg_hba.conf'), 'utf8')
  await writeFile(join(data, 'pg_hba.conf'), `host all ${SCRAM_ROLE} 127.0.0.1/32 scram-sha-256\n${trust}`)
  const port = await freePort()
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '60',
    shared_buffers: '64MB'
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = run('postgres', ['-D', data, ...options])
  const log = openSync(join(folder, 'log'), 'a')
  guard.child = spawn(server.command, server.args, { stdio: ['ignore', log, log], cwd: folder })
  closeSync(log)
  guard.child.unref()
  const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`
  await untilReady(adminUrl, guard.child, join(folder, 'log'))
  return clusterAt(adminUrl, true, async () => guard.now())
}

/** PostgreSQL refuses to run as root: give the folder to its own user and become that user. */
function serverUser(folder: string): readonly string[] {
  chmodSync(folder, 0o700)
  if (process.getuid?.() !== 0) return []
  const user = ['postgres', 'nobody'].find(name => readFileSync('/etc/passwd', 'utf8').includes(`\n${name}:`))
  if (user === undefined) throw new Error('no user "postgres" or "nobody" to run the test database as')
  const number = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  const [uid, gid] = [number('-u'), number('-g')]
  chownSync(folder, uid, gid)
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
}

async function untilReady(url: string, child: ChildProcess, logFile: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break
    const client = new pg.Client(url)
    try {
      await client.connect()
      await client.end()
      return
    } catch {
      await sleep(50)
    }
  }
  throw new Error(`PostgreSQL did not start:\n${await readFile(logFile, 'utf8')}`)
}

/** A port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))
      )
    })
  })
}

function clusterAt(adminUrl: string, own: boolean, stop: () => Promise<void>): Cluster {
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

function databaseAt(adminUrl: string, name: string): Database {
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
