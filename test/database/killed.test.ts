import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import t, { type Test as Tap } from 'tap'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import type { MigrateOptions } from '../../src/migrate/options.js'
import { loadTexts } from '../../src/policy/load.js'
import { type Database, startCluster, TEST_PASSWORD } from '../support/cluster.js'
import { cutBefore, watched } from '../support/cut.js'
import { DEMO, TEST_KEY, tokenFor } from '../support/example.js'
import { handMade } from '../support/hand-made.js'
import { ownState, wholeState } from '../support/whole-state.js'

const TABLES = `
CREATE TABLE tenants (id uuid PRIMARY KEY, name text, slug text);
CREATE TABLE user_tenants (user_id uuid, tenant_id uuid);
INSERT INTO tenants VALUES ('${DEMO.acme}', 'Acme', 'acme'), ('${DEMO.globex}', 'Globex', 'globex');
INSERT INTO user_tenants VALUES ('${DEMO.ada}', '${DEMO.acme}'), ('${DEMO.gus}', '${DEMO.globex}');
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid NOT NULL, title text, public boolean NOT NULL, readers uuid[] NOT NULL);
CREATE TABLE tasks (id int PRIMARY KEY, tenant_id uuid NOT NULL, done boolean NOT NULL);
INSERT INTO notes SELECT n, CASE n % 2 WHEN 0 THEN '${DEMO.acme}' ELSE '${DEMO.globex}' END::uuid, 'note', n % 3 = 0,
  CASE n % 5 WHEN 0 THEN ARRAY['${DEMO.globex}']::uuid[] ELSE '{}' END FROM generate_series(1, 30) AS n;
INSERT INTO tasks SELECT n, CASE n % 2 WHEN 0 THEN '${DEMO.acme}' ELSE '${DEMO.globex}' END::uuid, n % 3 = 0 FROM generate_series(1, 30) AS n;
CREATE INDEX ON notes (tenant_id);
CREATE INDEX ON tasks (tenant_id);`

const PRINCIPAL = 'principal: { id: uuid, tenant_id: uuid'

/** What everybody may read is public before, and shared with some after: neither has all rows of the other. */
const BEFORE = compiled(`${PRINCIPAL} }
resources:
  note:
    table: notes
    columns: { id: int!, tenant_id: uuid!, title: text, public: bool! }
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      public: { allow: [read], when: resource.public }
  task:
    table: tasks
    columns: { id: int!, tenant_id: uuid!, done: bool! }
    rules:
      done: { allow: [read, update, delete], when: resource.done }`)

const AFTER = compiled(`${PRINCIPAL}, is_boss: { type: bool, role: authz_killed_boss } }
resources:
  note:
    table: notes
    columns: { id: int!, tenant_id: uuid!, title: text, public: bool!, readers: set<uuid>! }
    immutable: [id, tenant_id]
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id && !resource.public }
      shared: { allow: [read], when: principal.tenant_id in resource.readers }
      boss: { allow: [read], when: principal.is_boss }
  task:
    table: tasks
    columns: { id: int!, tenant_id: uuid!, done: bool! }
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }`)

const AGENTS = compiled(`${PRINCIPAL} }
resources:
  agent:
    table: agents
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }`)

function compiled(text: string): Bundle {
  const { bundle, problems } = loadTexts({ 'test.yaml': `version: 1\n${text}` })
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

const dir = t.testdir()
const MIGRATE = {
  migrationsDir: dir,
  contextKey: TEST_KEY,
  passwords: { app: TEST_PASSWORD },
  indexes: 'none'
} as const
/** A column of each table that is written as it is, to see which rows may be. */
const COLUMN = { notes: 'title', tasks: 'done', agents: 'name', tools: 'name' } as const

t.before(async () => {
  await cp('migrations/0001_tenancy.sql', join(dir, '0001_tenancy.sql'))
  // roles are the cluster's: from here on the watchers can log in
  const database = await staged(t, TABLES)
  await migrate({ ...MIGRATE, database: database.url(), bundle: AFTER })
})

interface Stage {
  /** The database before the migration; nobody is connected, so that it can be copied. */
  readonly template: Database
  readonly options: Omit<MigrateOptions, 'database'>
  readonly tables: readonly (keyof typeof COLUMN)[]
  /** Who looks on: the login of the policy, for gus, and one that the tables had before. */
  readonly logins: readonly string[]
}

type Test = { teardown(after: () => Promise<unknown>): void }

async function staged(test: Test, sql: string, options?: Stage['options']): Promise<Database> {
  const database = await (await startCluster()).database()
  test.teardown(() => database.drop())
  const admin = await database.client()
  await admin.query(sql)
  await admin.end()
  if (options !== undefined) await migrate({ ...options, database: database.url() })
  return database
}

/** A copy of the database of a stage, and somebody who looks at it. */
async function copyOf(test: Test, { template, tables, logins }: Stage) {
  const database = await (await startCluster()).database(undefined, template.name)
  const admin = await database.client()
  const watchers = await Promise.all(logins.map(login => database.client(login)))
  const end = async () => {
    for (const client of [admin, ...watchers]) await client.end()
    await database.drop()
  }
  test.teardown(end)
  const look = async () => {
    const seen: string[] = []
    for (const watcher of watchers)
      for (const table of tables) seen.push(...(await looks(watcher, table)).map(what => `${table} ${what}`))
    return seen
  }
  return { database, admin, look, end }
}

const REFUSED = ['42501', '42P01', '42883', '3F000', 'AZ001']
const LOCKED = 'behind a lock'

/** What a login can read of a table at this moment, and what write. */
async function looks(client: pg.Client, table: keyof typeof COLUMN): Promise<readonly string[]> {
  const column = COLUMN[table]
  const ask = async (statement: string): Promise<string> => {
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = '3ms'; SET LOCAL app.tenant_id = '${DEMO.globex}'`)
      if (client.user === 'twinrule_app')
        await client.query('SELECT twinrule.set_tenant_context($1)', [tokenFor(DEMO.gus, DEMO.globex)])
      const { rows } = await client.query<{ id: unknown }>(statement)
      return JSON.stringify(rows.map(({ id }) => id).sort())
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (code === '55P03') return LOCKED
      if (REFUSED.includes(code)) return '[]'
      throw error
    } finally {
      await client.query('ROLLBACK')
    }
  }
  return [
    await ask(`SELECT id FROM ${table}`),
    await ask(`UPDATE ${table} SET ${column} = ${column} RETURNING id`)
  ]
}

/** What is in one state and not in the other. */
function differences(found: readonly string[], wanted: readonly string[]): readonly string[] {
  const [here, there] = [new Set(found), new Set(wanted)]
  return [
    ...found.filter(line => !there.has(line)).map(line => `too much: ${line}`),
    ...wanted.filter(line => !here.has(line)).map(line => `missing: ${line}`)
  ]
}

/** Whether somebody sees at a moment what he saw at another, apart from tables that are locked. */
function isAs(seen: readonly string[], then: readonly string[]): boolean {
  return seen.every((what, i) => what === then[i] || what.endsWith(LOCKED))
}

/** A run that nobody disturbs, with a look before each of its statements. */
async function calm(t: Tap, stage: Stage) {
  const { database, admin, look, end } = await copyOf(t, stage)
  const before = await look()
  const moments: { readonly text: string; readonly seen: readonly string[] }[] = []
  const client = await database.client()
  const watching = watched(client, async (_, text) => {
    moments.push({ text, seen: await look() })
  })
  await migrate({ ...stage.options, database: watching })
  await client.end()
  const after = await look()
  const commit = moments.findIndex(({ text }) => text === 'COMMIT') + 1
  for (const [i, { text, seen }] of moments.entries()) {
    if (!isAs(seen, i < commit ? before : after)) t.same(seen, before, `before ${text}`)
  }
  t.notSame(after, before)
  const result = { before, after, end: await wholeState(admin, stage.options.bundle), commit }
  await end()
  return { ...result, statements: moments.length }
}

/** Cuts the run at each statement of its transaction in turn, and lets it end after the last. */
async function cutInTransaction(t: Tap, stage: Stage, { before, after, end, commit }: Calm) {
  const { database, admin, look } = await copyOf(t, stage)
  const { bundle } = stage.options
  const start = await ownState(admin)
  for (let n = 1; n <= commit; n++) {
    const cut = await cutBefore(
      database,
      admin,
      k => k === n,
      client => migrate({ ...stage.options, database: client })
    )
    t.ok(cut, `cut at statement ${n}`)
    t.same(differences(await ownState(admin), start), [], `everything is as it was before the cut at ${n}`)
    t.same(await look(), before)
  }
  await migrate({ ...stage.options, database: database.url() })
  t.same(
    differences(await wholeState(admin, bundle), end),
    [],
    'and run again it ends where the undisturbed one does'
  )
  t.same(await look(), after)
}

/** Cuts the run at each statement after its transaction, and runs it again. */
async function cutAfterwards(t: Tap, stage: Stage, { after, end, commit, statements }: Calm) {
  const { bundle } = stage.options
  for (let n = commit + 1; n <= statements; n++) {
    const copy = await copyOf(t, stage)
    const { database, admin, look } = copy
    const run = (client: pg.Client) => migrate({ ...stage.options, database: client })
    t.ok(await cutBefore(database, admin, k => k === n, run), `cut at statement ${n}`)
    t.same(await look(), after, 'the policies are in place')
    await migrate({ ...stage.options, database: database.url() })
    t.same(
      differences(await wholeState(admin, bundle), end),
      [],
      'and run again it ends where the undisturbed one does'
    )
    await copy.end()
  }
}

type Calm = Awaited<ReturnType<typeof calm>>

t.test('a first migration that is cut at any statement leaves nothing behind', async t => {
  const template = await staged(t, TABLES)
  const options = { ...MIGRATE, bundle: BEFORE }
  const stage: Stage = { template, options, tables: ['notes', 'tasks'], logins: ['twinrule_app'] }
  await cutInTransaction(t, stage, await calm(t, stage))
})

t.test('a migration to other rules that is cut at any statement leaves the ones or the others', async t => {
  const template = await staged(t, TABLES, { ...MIGRATE, bundle: BEFORE })
  const options = { ...MIGRATE, bundle: AFTER, indexes: 'concurrently' } as const
  const stage: Stage = { template, options, tables: ['notes', 'tasks'], logins: ['twinrule_app'] }
  const run = await calm(t, stage)
  await cutInTransaction(t, stage, run)
  await cutAfterwards(t, stage, run)
})

t.test('policies that others made are there until the commit, and then those of the rules', async t => {
  const gateway = 'gateway_killed'
  const template = await staged(t, handMade(gateway))
  const options = { ...MIGRATE, bundle: AGENTS, adopt: true }
  const stage: Stage = { template, options, tables: ['agents', 'tools'], logins: ['twinrule_app', gateway] }
  await cutInTransaction(t, stage, await calm(t, stage))
})

/** Starts a second runner when the first is in the middle, and lets the first go on when the second waits for it. */
async function together(
  t: Tap,
  stage: Stage,
  database: Database,
  whenItWaits: (first: pg.Client) => unknown
) {
  const clients = [await database.client(), await database.client()] as const
  t.teardown(() => Promise.all(clients.map(client => client.end().catch(() => {}))))
  let [isInTheMiddle, isWaiting] = [false, false]
  const first = watched(clients[0], async n => {
    if (n !== 40) return
    isInTheMiddle = true
    while (!isWaiting) await sleep(5)
    await whenItWaits(clients[0])
  })
  const one = migrate({ ...stage.options, database: first }).then(
    ({ steps }) => steps,
    (error: Error) => [error.message]
  )
  while (!isInTheMiddle) await sleep(5)
  const log = (line: string) => {
    isWaiting ||= line === 'another migration of this database is running: waiting for it'
  }
  const { steps: two } = await migrate({ ...stage.options, database: clients[1], log })
  return { one: await one, two }
}

t.test('of two runners at once one waits, and both end well, or the one that is left does', async t => {
  const template = await staged(t, TABLES)
  const options = { ...MIGRATE, bundle: AFTER, indexes: 'concurrently' } as const
  const stage: Stage = { template, options, tables: ['notes', 'tasks'], logins: ['twinrule_app'] }
  const { end } = await calm(t, stage)
  const both = await copyOf(t, stage)
  const { one, two } = await together(t, stage, both.database, () => {})
  t.same([...one, ...two].length, 4, 'each step once')
  t.match(one, ['applied 0001_tenancy', /^applied the access rules/])
  t.same(differences(await wholeState(both.admin, AFTER), end), [])
  const left = await copyOf(t, stage)
  const survived = await together(t, stage, left.database, async first => {
    const { rows } = await first.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await left.admin.query('SELECT pg_terminate_backend($1, 10000)', [rows[0]?.pid])
  })
  t.match(survived.one, [/connection/i])
  t.equal(survived.two.length, 4)
  t.same(differences(await wholeState(left.admin, AFTER), end), [])
})
