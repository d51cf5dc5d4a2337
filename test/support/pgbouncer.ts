import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, chownSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Database } from './cluster.js'
import { freePort } from './server.js'

const PLACES = [
  '/usr/sbin/pgbouncer',
  '/usr/bin/pgbouncer',
  '/usr/local/bin/pgbouncer',
  '/opt/homebrew/bin/pgbouncer'
]

/** Where PgBouncer is, or null. TWINRULE_TEST_PGBOUNCER=1 makes its absence an error in place of a skipped test. */
export function findPgBouncer(): string | null {
  const found = PLACES.find(isExecutable) ?? null
  if (found === null && process.env['TWINRULE_TEST_PGBOUNCER'] === '1') {
    throw new Error('no PgBouncer: install it, or unset TWINRULE_TEST_PGBOUNCER')
  }
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * PgBouncer in transaction mode before a database, for one login role.
 *
 * @param connections how many connections to the server all clients share
 * @returns the URL of the database through it
 */
export async function startPgBouncer(
  t: { teardown(after: () => void): void },
  database: Database,
  {
    program,
    role,
    connections
  }: { readonly program: string; readonly role: string; readonly connections: number }
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'twinrule-pgbouncer-'))
  const server = new URL(database.url(role))
  const port = await freePort()
  const ini = join(folder, 'pgbouncer.ini')
  writeFileSync(
    ini,
    `[databases]
${database.name} = host=${server.hostname} port=${server.port} dbname=${database.name} user=${role}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
`
  )
  // PgBouncer refuses to run as root
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  if (user.length > 0) chownSync(folder, 65_534, 65_534)
  const child = spawn(program, [...user, ini], { stdio: 'ignore' })
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `postgres://${role}@127.0.0.1:${port}/${database.name}`
  await untilReady(url, child)
  return url
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100 && child.exitCode === null; attempt++) {
    const client = new pg.Client(url)
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('SELECT 1')
      await client.end()
      return
    } catch {
      await sleep(50)
    }
  }
  throw new Error(`PgBouncer did not start, exit code ${child.exitCode}`)
}
