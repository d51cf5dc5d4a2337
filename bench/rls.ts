/**
 * What row-level security costs: statements of three tenants through `tenantQuery` and `listResources`, against the same
 * written by hand for a role without row-level security, in one run and in turns.
 *
 *     npm run bench:rls [-- --rows 10000,100000,1000000 --rounds 7 --context plain,signed --quick --designs --format json]
 *
 * On PostgreSQL 18 with TWINRULE_TEST_POSTGRES=registry.
 */
import { parseArgs } from 'node:util'
import pg from 'pg'
import { tenantPool } from '../src/client.js'
import { migrate } from '../src/migrate/migrate.js'
import { loadTexts } from '../src/policy/load.js'
import { type Database, startCluster, TEST_PASSWORD } from '../test/support/cluster.js'
import { TEST_KEY } from '../test/support/example.js'
import { casesOf } from './rls/cases.js'
import { ASKED, type Asked, load, people, policy } from './rls/data.js'
import { designsOf } from './rls/designs.js'
import { type Measured, measure } from './rls/measure.js'
import { table } from './table.js'

/** What is measured. */
export interface Wanted {
  readonly rows: readonly number[]
  readonly contexts: readonly Context[]
  readonly rounds: number
  /** Only cases whose names begin so. */
  readonly only: string
  /** In place of the cases, the worst of them in several designs. */
  readonly designs: boolean
  readonly tell: (line: string) => void
}
const CONTEXTS = ['plain', 'signed'] as const
type Context = (typeof CONTEXTS)[number]

/** A case, in which database it was measured. */
export interface Result extends Measured {
  readonly rows: number
  readonly context: Context
  readonly server: string
}

/** Measures all cases with each number of rows. */
export async function rlsBench(wanted: Wanted): Promise<readonly Result[]> {
  const cluster = await startCluster(
    process.env['TWINRULE_TEST_POSTGRES'] === 'registry' ? 'registry' : 'usual'
  )
  const results: Result[] = []
  for (const rows of wanted.rows) {
    const database = await cluster.database()
    try {
      wanted.tell(`${rows} rows: loading`)
      const admin = await database.client()
      await load(admin, rows)
      const version = await admin.query<{ server_version: string }>('SHOW server_version')
      const server = version.rows[0]?.server_version ?? ''
      for (const context of wanted.contexts) {
        await prepare(database, admin, context)
        const measured = await inContext(database, context, {
          ...wanted,
          tell: line => wanted.tell(`${rows} rows, ${context}: ${line}`)
        })
        results.push(...measured.map(one => ({ rows, context, server, ...one })))
      }
      await admin.end()
    } finally {
      await database.drop()
    }
  }
  return results
}

function compiled(context: Context) {
  const { bundle, problems } = loadTexts({ 'bench.yaml': policy(context) })
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

/** The policy in a database, and the tenants, if they are not there yet. */
async function prepare(database: Database, admin: pg.Client, context: Context): Promise<void> {
  await migrate({
    database: database.url(),
    bundle: compiled(context),
    demo: false,
    passwords: { app: TEST_PASSWORD, service: TEST_PASSWORD },
    ...(context === 'signed' ? { contextKey: TEST_KEY } : {})
  })
  await people(admin)
  await admin.query('VACUUM (ANALYZE)')
}

async function inContext(
  database: Database,
  context: Context,
  { rounds, only, designs, tell }: Wanted
): Promise<readonly Measured[]> {
  const app = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 1 })
  const byHand = new pg.Pool({ connectionString: database.url(), max: 1 })
  const tenants = tenantPool(app, { key: context === 'signed' ? TEST_KEY : null })
  try {
    const measured: Measured[] = []
    for (const tenant of Object.keys(ASKED) as Asked[]) {
      tell(`the ${tenant} tenant`)
      const cases = await (designs ? designsOf : casesOf)(
        { tenants, byHand, bundle: compiled(context) },
        tenant
      )
      for (const one of cases.filter(({ name }) => name.startsWith(only)))
        measured.push(await measure(one, rounds))
    }
    return measured
  } finally {
    await Promise.all([app.end(), byHand.end()])
  }
}

function report(results: readonly Result[]): string {
  const lines = results.map(({ name, tenant, context, rows, ms, byHandMs, ratio }) => {
    return [name, tenant, context, String(rows), ms.toFixed(2), byHandMs.toFixed(2), ratio.toFixed(2)]
  })
  return table([['', 'tenant', 'context', 'rows', 'ms', 'ms by hand', 'x by hand'], ...lines])
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '10000,100000,1000000' },
      context: { type: 'string', default: 'plain,signed' },
      rounds: { type: 'string', default: '7' },
      only: { type: 'string', default: '' },
      designs: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      format: { type: 'string', default: 'text' }
    }
  })
  const wanted = values.context.split(',')
  const results = await rlsBench({
    rows: (values.quick ? '10000' : values.rows).split(',').map(Number),
    contexts: CONTEXTS.filter(name => wanted.includes(name)),
    rounds: values.quick ? 3 : Number(values.rounds),
    only: values.only,
    designs: values.designs,
    tell: line => void process.stderr.write(`${line}\n`)
  })
  const json = results.map(one => `${JSON.stringify(one)}\n`).join('')
  process.stdout.write(values.format === 'json' ? json : report(results))
  // the server ends with this process
  process.exit(0)
}
