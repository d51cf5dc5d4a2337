import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import t from 'tap'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Database } from '../support/cluster.js'
import { securitySnapshot } from '../support/snapshot.js'

const TABLES = `
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, owner_id uuid, title text, public boolean NOT NULL);
CREATE TABLE tasks (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, note_id uuid, done boolean NOT NULL);
CREATE TABLE shares (note_id uuid NOT NULL, tenant_id uuid NOT NULL, level text);`

/** What a policy may have or not have, each of which adds, changes or removes generated objects. */
const PARTS = ['public', 'boss', 'tasks', 'shares', 'level', 'guard', 'owner'] as const
type Part = (typeof PARTS)[number]

function policy(...parts: readonly Part[]): Bundle {
  const has = (part: Part, text: string) => (parts.includes(part) ? text : '')
  const text = `
version: 1
principal: { id: uuid, tenant_id: uuid${has('boss', ', is_boss: { type: bool, role: authz_minimal_boss }')} }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, public: bool!${has('owner', ', owner_id: uuid')} }
    ${has('guard', 'immutable: [id]')}
    ${has('shares', `relations: { shares: { many: shares, columns: { tenant_id: uuid${has('level', ', level: text')} } } }`)}
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      ${has('shares', 'shared: { allow: [read], when: "resource.shares.exists(s, s.tenant_id == principal.tenant_id)" }')}
      ${has('public', 'public: { allow: [read], when: resource.public }')}
      ${has('owner', 'owner: { allow: [delete], when: resource.owner_id == principal.id }')}
      ${has('boss', 'boss: { allow: [read, delete], when: principal.is_boss }')}
${has(
  'tasks',
  `  task:
    table: tasks
    columns: { id: uuid!, tenant_id: uuid!, done: bool! }
    ${has('guard', 'column_rules: [{ columns: [done], when: resource.tenant_id == principal.tenant_id }]')}
    rules:
      mine: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id }`
)}`
  const { bundle, problems } = loadTexts({ 'test.yaml': text })
  if (bundle === null) throw new Error(`${problems.join('\n')}\n${text}`)
  return bundle
}

async function withTables(t: Test): Promise<{ database: Database; admin: pg.Client }> {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(TABLES)
  return { database, admin }
}

type Test = Parameters<typeof createDatabase>[0]

/** Indexes stay when a rule leaves: they do no harm, and others may use them. */
function withoutIndexes(lines: readonly string[]): readonly string[] {
  return lines.filter(line => !/^index .*_idx ON/.test(line))
}

t.test('what is applied bit by bit is what a fresh database gets', async t => {
  const { database, admin } = await withTables(t)
  let seed = 7
  const coin = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % 1000 < 500
  }
  const used: Part[][] = [[], [...PARTS], ['shares', 'level', 'boss', 'tasks'], ['boss'], ['shares'], []]
  for (let i = 0; i < 8; i++) used.push(PARTS.filter(coin))
  for (const parts of used) {
    const bundle = policy(...parts)
    await migrate({ database: database.url(), bundle })
    t.same((await migrate({ database: database.url(), bundle })).steps, [], 'nothing is left to do')
    const fresh = await withTables(t)
    await migrate({ database: fresh.database.url(), bundle })
    // a table that has left the policy stays closed, where a fresh one never was
    const tables = [...bundle.resources.map(({ table }) => table ?? ''), 'shares', 'tenants', 'user_roles']
    t.same(
      withoutIndexes(await securitySnapshot(admin, tables)),
      withoutIndexes(await securitySnapshot(fresh.admin, tables)),
      parts.join()
    )
    await migrate({ database: fresh.database.url(), bundle, direction: 'down' })
    await fresh.database.drop()
  }
  await migrate({ database: database.url(), bundle: policy(), direction: 'down' })
})

/** The objects that a statement has made anew have another identity. */
async function identities(admin: pg.Client): Promise<Map<string, string>> {
  const { rows } = await admin.query<{ name: string; id: string }>(
    `SELECT 'policy ' || polname AS name, oid::text AS id FROM pg_policy
     UNION ALL SELECT 'function ' || proname, xmin::text FROM pg_proc WHERE pronamespace = 'twinrule'::regnamespace
     UNION ALL SELECT 'table ' || relname, xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
     UNION ALL SELECT 'trigger ' || tgname, xmin::text FROM pg_trigger WHERE NOT tgisinternal`
  )
  return new Map(rows.map(({ name, id }) => [name, id]))
}

async function touched(admin: pg.Client, work: () => Promise<unknown>): Promise<string[]> {
  const before = await identities(admin)
  await work()
  const after = await identities(admin)
  const all = new Set([...before.keys(), ...after.keys()])
  return [...all].filter(name => before.get(name) !== after.get(name)).sort()
}

t.test('only what has changed is applied, and everything on demand', async t => {
  const { database, admin } = await withTables(t)
  await migrate({ database: database.url(), bundle: policy('tasks', 'guard') })
  const to = (bundle: Bundle, whole = false) => migrate({ database: database.url(), bundle, whole })
  const next = policy('tasks', 'guard', 'public')
  t.same(await touched(admin, () => to(next)), [
    'function can_access_resource',
    'policy twinrule_notes_list',
    'policy twinrule_notes_select'
  ])
  t.same(await touched(admin, () => to(next)), [])
  const report = await to(next, true)
  t.match(report.steps, [/^applied the access rules of revision \w+ \([3-9]\d objects\)$/])
  t.match(await touched(admin, () => to(next, true)), [/./, /./, /./, /./, /./], 'and again')
})

t.test('what was changed by hand is applied again, and nothing else', async t => {
  const { database, admin } = await withTables(t)
  const bundle = policy(...PARTS)
  await migrate({ database: database.url(), bundle })
  const before = await securitySnapshot(admin)
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['DROP POLICY twinrule_tasks_select ON tasks', ['policy twinrule_tasks_select']],
    ['ALTER POLICY twinrule_tasks_select ON tasks USING (true)', ['policy twinrule_tasks_select']],
    ['ALTER TABLE notes NO FORCE ROW LEVEL SECURITY', ['table notes']],
    ['GRANT TRUNCATE ON notes TO twinrule_app', ['table notes']],
    ['REVOKE ALL ON shares FROM twinrule_app', ['table shares']],
    ['CREATE POLICY twinrule_mine ON notes USING (true)', []],
    ['DROP TRIGGER "A_twinrule_tasks_columns" ON tasks', ['trigger A_twinrule_tasks_columns']],
    ['ALTER TABLE notes DISABLE TRIGGER "A_twinrule_notes_columns"', ['trigger A_twinrule_notes_columns']],
    ['GRANT EXECUTE ON FUNCTION twinrule.membership(uuid, uuid) TO PUBLIC', ['function membership']],
    ['ALTER FUNCTION twinrule.is_boss() SECURITY INVOKER', ['function is_boss']],
    ['GRANT ALL ON user_roles TO twinrule_app', ['table user_roles']]
  ]
  for (const [statement, expected] of cases) {
    const changed = await touched(admin, async () => {
      await admin.query(statement)
      const { steps } = await migrate({ database: database.url(), bundle })
      t.match(steps, [/^applied the access rules/], statement)
    })
    t.same(changed, expected, statement)
    t.same(await securitySnapshot(admin), before, statement)
    t.same((await migrate({ database: database.url(), bundle })).steps, [])
  }
})

/** A session that has read a table and does not end its transaction. */
async function reader(t: Test, database: Database, table: string): Promise<pg.Client> {
  const client = await database.client()
  t.teardown(() => client.end())
  await client.query(`BEGIN; SELECT count(*) FROM ${table}`)
  return client
}

t.test('a table whose rules do not change is not locked', async t => {
  const { database } = await withTables(t)
  await migrate({ database: database.url(), bundle: policy('tasks', 'guard', 'shares') })
  const holding = await Promise.all(['tasks', 'shares', 'tenants'].map(table => reader(t, database, table)))
  const bundle = policy('tasks', 'guard', 'shares', 'public')
  const report = await migrate({ database: database.url(), bundle, locks: { attempts: 1 } })
  t.match(report.steps, [/\(4 objects\)$/])
  for (const client of holding) await client.query('COMMIT')
})

t.test('who holds a table is waited for without a queue behind the migration', async t => {
  const { database } = await withTables(t)
  await migrate({ database: database.url(), bundle: policy('tasks') })
  const holding = await reader(t, database, 'notes')
  const lines: string[] = []
  const locks = { timeoutMs: 100, attempts: 40 }
  const running = migrate({
    database: database.url(),
    bundle: policy('public'),
    locks,
    log: line => lines.push(line)
  })
  const app = await database.client()
  t.teardown(() => app.end())
  let longest = 0
  while (lines.length < 3) {
    const start = performance.now()
    await app.query('SELECT count(*) FROM notes')
    longest = Math.max(longest, performance.now() - start)
    await sleep(5)
  }
  t.match(
    lines[0],
    /^waited for the lock on public.notes, held by process \d+ of postgres \(idle in transaction for \d+ s\)/
  )
  t.match(lines[0], /everything was rolled back, attempt 2 of 40 in \d+ ms$/)
  t.ok(longest < 2000, `others waited ${Math.round(longest)} ms at most`)
  await holding.query('COMMIT')
  t.match((await running).steps, [/^applied the access rules/])
})

t.test('in the end the migration gives up, names who was in its way, and has changed nothing', async t => {
  const { database, admin } = await withTables(t)
  await migrate({ database: database.url(), bundle: policy() })
  const before = await securitySnapshot(admin)
  await reader(t, database, 'notes')
  await t.rejects(
    migrate({ database: database.url(), bundle: policy('public'), locks: { timeoutMs: 20, attempts: 2 } }),
    {
      code: 'TWR_DB_MIGRATION',
      sqlstate: '55P03',
      message: /public.notes.* in 2 attempts, held by process/,
      hint: /end that session/
    }
  )
  t.same(await securitySnapshot(admin), before)
})

t.test('a table of the policy that is gone is no hindrance on the way down or out of the policy', async t => {
  const { database, admin } = await withTables(t)
  await migrate({ database: database.url(), bundle: policy('tasks', 'guard') })
  await admin.query('DROP TABLE tasks')
  t.match((await migrate({ database: database.url(), bundle: policy() })).steps, [
    /^applied the access rules/
  ])
  await admin.query('DROP TABLE notes')
  const { steps } = await migrate({ database: database.url(), bundle: policy(), direction: 'down' })
  t.same(steps, ['removed the access rules'])
})

t.test('a column that comes is granted as the others are', async t => {
  const { database, admin } = await withTables(t)
  const bundle = policy()
  await migrate({ database: database.url(), bundle })
  await admin.query('ALTER TABLE notes ADD body text')
  t.match((await migrate({ database: database.url(), bundle })).steps, [/\(\d objects?\)$/])
  const { rows } = await admin.query(
    `SELECT has_column_privilege('twinrule_app', 'notes', 'body', 'UPDATE') AS may`
  )
  t.same(rows, [{ may: true }])
  t.same((await migrate({ database: database.url(), bundle })).steps, [])
})
