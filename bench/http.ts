/**
 * What a decision costs over HTTP, against servers that decide nothing, Cerbos and a plain query, in one run.
 *
 *     npm ci --prefix bench && npm run bench:http [-- --rounds 5 --seconds 3 --starts --format json]
 *
 * The service is asked as `npm run build` made it. The database is a PostgreSQL cluster of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { ownVersion } from '../src/cli/version.js'
import { verifyDatabase } from '../src/drift/verify.js'
import type { Bundle } from '../src/ir/model.js'
import { type Database, startCluster, TEST_PASSWORD } from '../test/support/cluster.js'
import { demoDatabase, exampleBundle } from '../test/support/example.js'
import { bareFastify, type Idle, idle } from './http/idle.js'
import { type Load, type LoadOptions, type Measured, measure } from './http/load.js'
import { pinned } from './http/process.js'
import { passedQuestions, storedQuestions } from './http/questions.js'
import { type Absent, cerbos, peer, type Target, twinrule } from './http/targets.js'
import { table } from './table.js'

interface Results {
  readonly measured: readonly Measured[]
  readonly started: readonly Idle[]
  readonly absent: readonly Absent[]
}

const QUESTIONS = 500
/** Tenants with a user each, beside those of the demo data. */
const TENANTS = 200

async function httpBench(options: LoadOptions & { readonly onlyStarts: boolean }): Promise<Results> {
  const folder = mkdtempSync(join(tmpdir(), 'twinrule-bench-'))
  const ends: (() => Promise<void>)[] = []
  const open = async (target: Promise<Target>) => {
    const started = await target
    ends.unshift(() => started.server.stop())
    return started
  }
  try {
    const bundle = await exampleBundle()
    const database = await demoDatabase({ teardown: end => void ends.push(end) }, bundle)
    const serviceUrl = database.url('twinrule_service', TEST_PASSWORD)
    await verify(database, bundle)
    const starts = [
      { name: 'Fastify, one route', start: bareFastify },
      { name: 'twinrule, stateless', start: async () => (await twinrule('', null)).server },
      { name: 'twinrule, on a database', start: async () => (await twinrule('', serviceUrl)).server }
    ]
    const started = await idle(starts, options.rounds)
    if (options.onlyStarts) return { measured: [], started, absent: [] }
    const echo = await open(peer('Fastify echo', 'fastify'))
    const node = await open(peer('node:http echo', 'node'))
    const ours = await open(twinrule('twinrule, stateless', null))
    const absent: Absent[] = []
    const other = await open(cerbos('Cerbos', bundle, folder)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error
      absent.push({ name: 'Cerbos', why: 'not installed; `npm ci --prefix bench` does' })
      return null
    })
    const query = await open(peer('Fastify, one plain query', 'query', database.url()))
    const stored = await open(twinrule('twinrule, stored row', serviceUrl))
    const targets = [echo, node, ours, ...(other === null ? [] : [other])]
    const { single, batch } = await passedQuestions(bundle, QUESTIONS)
    const loads: readonly Load[] = [
      { what: 'single', asked: single, targets, connections: 64 },
      { what: 'batch of 50', asked: batch, targets, connections: 16 },
      {
        what: 'stored row',
        asked: await asOwner(database, owner => storedQuestions(owner, TENANTS)),
        targets: [query, stored],
        connections: 64
      }
    ]
    const measured: Measured[] = []
    for (const load of loads) measured.push(...(await measure(load, options)))
    return { measured, started, absent }
  } finally {
    for (const end of ends) await end()
    await (await startCluster()).stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The database as `twinrule migrate` leaves it: the bench migrates through the library. */
async function verify(database: Database, bundle: Bundle): Promise<void> {
  const { findings } = await asOwner(database, owner =>
    verifyDatabase(owner, bundle, { version: ownVersion() })
  )
  if (findings.length > 0) throw new Error(`drift: ${findings.map(({ message }) => message).join('; ')}`)
}

async function asOwner<T>(database: Database, work: (owner: pg.Client) => Promise<T>): Promise<T> {
  const owner = await database.client()
  try {
    return await work(owner)
  } finally {
    await owner.end()
  }
}

function report({ measured, started, absent }: Results): string {
  const rows = measured.map(({ what, name, perSecond, ratio, cpuUs, cpuRatio }) => {
    const numbers = [perSecond.toFixed(0), ratio.toFixed(2), cpuUs.toFixed(0), cpuRatio.toFixed(2)]
    return [`${what}: ${name}`, ...numbers]
  })
  const starts = started.map(({ name, readyMs, readyRatio, rssMib, rssRatio }) => {
    const numbers = [readyMs.toFixed(0), readyRatio.toFixed(2), rssMib.toFixed(0), rssRatio.toFixed(2)]
    return [name, ...numbers]
  })
  return [
    rows.length === 0 ? '' : table([['', 'decisions/s', 'x first', 'CPU us a request', 'x first'], ...rows]),
    table([['', 'ready ms', 'x first', 'idle MiB', 'x first'], ...starts]),
    ...absent.map(({ name, why }) => `${name}: ${why}\n`),
    pinned() ? '' : 'servers and load share all processors: they could not be pinned apart\n'
  ].join('\n')
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    starts: { type: 'boolean', default: false },
    format: { type: 'string', default: 'text' }
  }
})
const results = await httpBench({
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  onlyStarts: values.starts,
  tell: line => void process.stderr.write(`${line}\n`)
})
const json = [...results.measured, ...results.started, ...results.absent]
process.stdout.write(
  values.format === 'json' ? json.map(one => `${JSON.stringify(one)}\n`).join('') : report(results)
)
