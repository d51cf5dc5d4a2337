import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import t from 'tap'
import { indexesOf } from '../../src/backends/sql/indexes.js'
import { openEmbedded } from '../../src/db/embedded.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Database } from '../support/cluster.js'

const { bundle, problems } = loadTexts({
  'test.yaml': `
version: 1
principal: { id: uuid, tenant_id: uuid, is_boss: { type: bool, role: authz_index_boss } }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, owner_id: uuid, readers: set<uuid>!, state: text, open: bool! }
    relations: { shares: { many: note_shares, columns: { tenant_id: uuid } } }
    rules:
      mine: { allow: [read], when: 'resource.tenant_id == principal.tenant_id && resource.state != "gone"' }
      owner: { allow: [update, read], when: resource.open || resource.owner_id == principal.id }
      reader: { allow: [read], when: principal.id in resource.readers }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.tenant_id == principal.tenant_id)' }
      boss: { allow: [read, create], when: principal.is_boss, check: resource.state == "new" && principal.is_boss }
`
})
if (bundle === null) throw new Error(problems.join('\n'))
const policy = bundle

const TABLES = `
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, owner_id uuid, readers uuid[] NOT NULL DEFAULT '{}', state text, open boolean NOT NULL DEFAULT false);
CREATE TABLE note_shares (note_id uuid, tenant_id uuid)`
const ALL = [
  'twinrule_note_shares__note_id_idx',
  'twinrule_notes__owner_id_idx',
  'twinrule_notes__readers_idx',
  'twinrule_notes__tenant_id_idx'
]

type Test = Parameters<typeof createDatabase>[0]

async function prepared(t: Test, more = ''): Promise<{ database: Database; admin: pg.Client }> {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(`${TABLES}; ${more}`)
  return { database, admin }
}

async function indexes(admin: pg.Client): Promise<string[]> {
  const { rows } = await admin.query<{ line: string }>(
    `SELECT concat_ws(' ', c.relname, CASE WHEN NOT i.indisvalid THEN 'INVALID' END) AS line
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname LIKE '%idx' ORDER BY 1`
  )
  return rows.map(({ line }) => line)
}

t.test('the rules say which columns are looked up, and how', async t => {
  t.same(
    indexesOf(policy).map(({ table, column, method }) => `${table}.${column} ${method}`),
    ['note_shares.note_id btree', 'notes.owner_id btree', 'notes.readers gin', 'notes.tenant_id btree']
  )
  const long = policy.resources.map(resource => ({ ...resource, table: `${'x'.repeat(50)}_`, relations: [] }))
  const names = indexesOf({ ...policy, resources: long }).map(({ name }) => name)
  t.equal(new Set(names).size, 4)
  for (const name of names) t.match(name, /^twinrule_[a-z0-9_]{1,49}_idx$/)
})

t.test(
  'what is missing is made, written down and, on the way down, dropped; what is there will do',
  async t => {
    const { database, admin } = await prepared(
      t,
      `CREATE INDEX by_tenant_idx ON notes (tenant_id, state); CREATE INDEX partial_idx ON notes (owner_id) WHERE open;
     CREATE INDEX second_idx ON note_shares (tenant_id, note_id); CREATE INDEX theirs_idx ON note_shares (tenant_id)`
    )
    const theirs = await indexes(admin)
    const made = ALL.slice(0, 3)
    const { steps } = await migrate({ database: database.url(), bundle: policy })
    t.same(
      steps.filter(step => step.includes('index')),
      made.map(name => `made the index ${name}`)
    )
    t.same(await indexes(admin), [...theirs, ...made].sort())
    t.same((await migrate({ database: database.url(), bundle: policy })).steps, [])
    const down = await migrate({ database: database.url(), bundle: policy, direction: 'down' })
    t.same(down.steps, ['removed the access rules', ...made.map(name => `dropped the index ${name}`)])
    t.same(await indexes(admin), theirs)
  }
)

t.test('without indexes nothing is made, and the settings of a borrowed connection stay', async t => {
  const { database, admin } = await prepared(t)
  await admin.query("SET lock_timeout = '7s'")
  await migrate({ database: admin, bundle: policy, indexes: 'none' })
  t.same(await indexes(admin), [])
  await migrate({ database: admin, bundle: policy })
  t.same(await indexes(admin), ALL)
  t.same((await admin.query('SHOW lock_timeout')).rows, [{ lock_timeout: '7s' }])
  await migrate({ database: database.url(), bundle: policy, direction: 'down', indexes: 'none' })
  t.same(await indexes(admin), ALL)
})

/** A transaction that has written to a table: an index made concurrently waits for its end. */
async function writer(t: Test, database: Database): Promise<pg.Client> {
  const client = await database.client()
  t.teardown(() => client.end())
  await client.query('BEGIN; INSERT INTO notes (id, tenant_id) VALUES (gen_random_uuid(), gen_random_uuid())')
  return client
}

async function untilBuilding(admin: pg.Client): Promise<number> {
  for (let i = 0; i < 400; i++) {
    const { rows } = await admin.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_progress_create_index WHERE relid = 'notes'::regclass AND phase LIKE 'waiting%'`
    )
    if (rows[0] !== undefined) return rows[0].pid
    await sleep(10)
  }
  throw new Error('no index is being made')
}

t.test('an index that was left half made is made again, and nobody waits while it is made', async t => {
  const { database, admin } = await prepared(t)
  await migrate({ database: database.url(), bundle: policy, indexes: 'none' })
  const holding = await writer(t, database)
  const failing = t.rejects(migrate({ database: database.url(), bundle: policy }), {
    code: 'TWR_DB_INDEX',
    message: /^the index twinrule_notes__owner_id_idx on notes failed: terminating connection/,
    hint: /run the same again/
  })
  const pid = await untilBuilding(admin)
  await admin.query('INSERT INTO notes (id, tenant_id) VALUES (gen_random_uuid(), gen_random_uuid())')
  await admin.query('SELECT pg_terminate_backend($1)', [pid])
  await failing
  t.match((await indexes(admin)).join(), / INVALID/)
  await holding.query('COMMIT')
  t.match((await migrate({ database: database.url(), bundle: policy })).steps, [
    /^made the index/,
    /^made the index/,
    /^made the index/
  ])
  t.same(await indexes(admin), ALL)
  t.same((await migrate({ database: database.url(), bundle: policy })).steps, [])
})

t.test('several runners make each index once, and all end well', async t => {
  const { database, admin } = await prepared(t)
  await migrate({ database: database.url(), bundle: policy, indexes: 'none' })
  const holding = await writer(t, database)
  const lines: string[] = []
  const run = () => migrate({ database: database.url(), bundle: policy, log: line => lines.push(line) })
  const all = Promise.all([run(), run(), run()])
  await untilBuilding(admin)
  await sleep(300)
  await holding.query('COMMIT')
  const steps = (await all).flatMap(report => report.steps)
  t.same(
    steps.sort(),
    ALL.map(name => `made the index ${name}`)
  )
  t.same(await indexes(admin), ALL)
  t.match(lines.join('\n'), /^process \d+ is making an index on notes: waiting for it$/m)
  t.same((await migrate({ database: database.url(), bundle: policy })).steps, [])
})

t.test('an index of the name that is another one is said to be in the way', async t => {
  const { database } = await prepared(t, 'CREATE INDEX twinrule_notes__tenant_id_idx ON notes (state)')
  await t.rejects(migrate({ database: database.url(), bundle: policy }), {
    code: 'TWR_DB_INDEX',
    message: /another index has its name/
  })
})

t.test('on a partitioned table the operator makes them', async t => {
  const { database, admin } = await prepared(
    t,
    `DROP TABLE note_shares; CREATE TABLE note_shares (note_id uuid, tenant_id uuid) PARTITION BY LIST (tenant_id)`
  )
  const lines: string[] = []
  await migrate({ database: database.url(), bundle: policy, log: line => lines.push(line) })
  t.match(lines.join('\n'), /note_shares is partitioned and has no btree index on note_id/)
  t.same(await indexes(admin), ALL.slice(1))
})

t.test('the embedded database makes them plainly', async t => {
  let made: string[] = []
  const embedded = await openEmbedded({
    dataDir: null,
    prepare: async client => {
      for (const text of TABLES.split(';')) await client.query(text)
      await migrate({ database: client, bundle: policy, indexes: 'plain' })
      made = await indexes(client as pg.Client)
    }
  })
  await embedded.close()
  t.same(made, ALL)
})
