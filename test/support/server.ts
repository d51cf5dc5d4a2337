import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Stops servers and removes their folder. */
export interface ExitGuard {
  readonly children: ChildProcess[]
  now(): void
}

/** The server and its folder go when the process does, whatever the reason. */
export function removeOnExit(folder: string): ExitGuard {
  let done = false
  const guard: ExitGuard = {
    children: [],
    now() {
      if (done) return
      done = true
      for (const child of guard.children) child.kill('SIGQUIT')
      // the exit handler cannot await: give the servers up to two seconds to leave their folder
      for (let i = 0; i < 40 && guard.children.some(isAlive); i++)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
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

/** What servers of one folder are started with. */
export interface ServerFiles {
  readonly folder: string
  readonly guard: ExitGuard
  /** Where initdb and postgres are. */
  readonly bin: string
  /** What a command is put behind to run as the user of the server. */
  readonly user: readonly string[]
}

/** Makes the data folder `name`, in which everybody of this machine may log in. @returns its path */
export function makeData({ folder, bin, user }: ServerFiles, name: string): string {
  const data = join(folder, name)
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  const [command = '', ...rest] = [...user, join(bin, 'initdb'), ...args]
  execFileSync(command, rest, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder })
  return data
}

/** Starts a server and waits until it answers. @returns the URL of its superuser */
export async function startServer(
  { folder, guard, bin, user }: ServerFiles,
  data: string,
  more: Readonly<Record<string, string>> = {}
): Promise<string> {
  const port = await freePort()
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '60',
    shared_buffers: '64MB',
    ...more
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const logFile = `${data}.log`
  const log = openSync(logFile, 'a')
  const [command = '', ...rest] = [...user, join(bin, 'postgres'), '-D', data, ...options]
  const child = spawn(command, rest, { stdio: ['ignore', log, log], cwd: folder })
  guard.children.push(child)
  closeSync(log)
  child.unref()
  const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`
  await untilReady(adminUrl, child, logFile)
  return adminUrl
}

/** PostgreSQL refuses to run as root: give the folder to its own user and become that user. */
export function serverUser(folder: string): readonly string[] {
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
