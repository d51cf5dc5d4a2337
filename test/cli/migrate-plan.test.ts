import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder } from '../../src/policy/load.js'
import { capture } from '../support/capture.js'
import { createDatabase } from '../support/cluster.js'
import { securitySnapshot } from '../support/snapshot.js'

async function twinrule(argv: readonly string[], env: Record<string, string> = {}) {
  const { io, out, err } = capture(env)
  const code = await run(['migrate', ...argv], io)
  return { code, out: out(), err: err() }
}

const BEFORE = `
version: 1
principal: { id: uuid, tenant_id: uuid, is_boss: { type: bool, role: authz_plan_boss } }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, title: text, public: bool! }
    immutable: [id]
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      boss: { allow: [read, delete], when: principal.is_boss }
  task:
    table: tasks
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read, create], when: resource.tenant_id == principal.tenant_id }
`
const AFTER = `
version: 1
principal: { id: uuid, tenant_id: uuid, is_boss: { type: bool, role: authz_plan_boss } }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, title: text, public: bool! }
    relations: { shares: { many: shares, columns: { tenant_id: uuid } } }
    rules:
      mine: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id }
      boss: { allow: [read], when: principal.is_boss }
      public: { allow: [read], when: resource.public }
      shared: { allow: [read], when: "resource.shares.exists(s, s.tenant_id == principal.tenant_id)" }
  task:
    table: tasks
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read, create], when: resource.tenant_id == principal.tenant_id }
`
const TABLES = `
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, title text, public boolean NOT NULL);
CREATE TABLE tasks (id uuid PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE TABLE shares (note_id uuid NOT NULL, tenant_id uuid NOT NULL)`

const folders = t.testdir({ before: { 'a.yaml': BEFORE }, after: { 'a.yaml': AFTER }, none: {} })
const [before, after] = [join(folders, 'before'), join(folders, 'after')]

async function compiled(folder: string) {
  const { bundle, problems } = await loadFolder(folder)
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

/** Runs a plan as a person would: an index is made outside of a transaction. */
async function runByHand(admin: pg.Client, text: string): Promise<void> {
  for (const part of text.split(/^(?=-- index |BEGIN;)/m)) await admin.query(part)
}

/** A database with one of the two policies. */
async function at(t: Test, folder: string) {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(TABLES)
  await migrate({ database: database.url(), bundle: await compiled(folder) })
  return { database, admin, look: () => securitySnapshot(admin, ['notes', 'tasks', 'shares', 'tenants']) }
}
type Test = Parameters<typeof createDatabase>[0]

t.test('the plan between two policies leads there and back when it is run by hand', async t => {
  const plan = await twinrule(['plan', '--from', before, '--policies', after])
  t.equal(plan.code, 1, plan.err)
  t.match(plan.err, /^\d+ objects, 1 index, locks notes\n$/, 'the other table is left alone')
  const [up = '', down = ''] = plan.out.split(/^-- Down: .*$/m)
  t.match(up, /LOCK TABLE public\."notes" IN ACCESS EXCLUSIVE MODE;\n/)
  t.match(up, /^-- policy twinrule_notes_insert on notes: added\n/m)
  t.match(up, /^-- policy twinrule_notes_select on notes: changed\n/m)
  t.match(up, /^-- trigger A_twinrule_notes_columns on notes: removed\n/m)
  t.notMatch(plan.out, /POLICY[^;]*tasks_select"/)
  const [one, other] = [await at(t, before), await at(t, after)]
  const [was, wanted] = [await one.look(), await other.look()]
  await runByHand(one.admin, up)
  t.same(await one.look(), wanted)
  await runByHand(one.admin, down)
  const left = await one.look()
  t.same(
    left.filter(line => !line.includes('twinrule_shares__note_id_idx')),
    was,
    'an index is no harm'
  )
})

t.test('the plan from a database is what a migration then does', async t => {
  const { database, admin } = await at(t, before)
  const url = database.url()
  t.match(await twinrule(['plan', '--database', url, '--policies', before]), {
    code: 0,
    out: '',
    err: 'nothing to do\n'
  })
  const text = await twinrule(['plan', '--policies', after], { TWINRULE_MIGRATE_DATABASE_URL: url })
  t.equal(text.code, 1, text.err)
  t.same(text, await twinrule(['plan', '--from', before, '--policies', after]))
  await admin.query(
    'DROP POLICY twinrule_tasks_select ON tasks; CREATE POLICY twinrule_x ON tasks USING (true)'
  )
  const json = JSON.parse(
    (await twinrule(['plan', '--database', url, '--policies', before, '--format', 'json'])).out
  )
  t.match(json, { due: true, locks: ['tasks'], migrations: [], foreign: [] })
  t.same(
    json.up
      .filter(({ cause }: { cause: string }) => cause !== 'always')
      .map(({ kind, name, cause }: Record<string, string>) => [kind, name, cause]),
    [
      ['policy', 'twinrule_tasks_select', 'repaired'],
      ['policy', 'twinrule_x', 'leftover']
    ]
  )
  t.match((await migrate({ database: url, bundle: await compiled(before) })).steps, [/\(2 objects\)$/])
  const all = await twinrule(['plan', '--database', url, '--policies', before, '--all'])
  t.match(all, { code: 1, err: /^\d\d objects, locks notes, tasks, tenants, user_roles, user_tenants\n/ })
})

t.test('the plan for a fresh database has the numbered migrations, and can be run by hand', async t => {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(TABLES)
  const file = join(folders, 'plan.sql')
  const plan = await twinrule(['plan', '-d', database.url(), '--policies', after, '--out', file])
  t.match(plan, { code: 1, out: '', err: /^2 migrations, \d+ objects, 3 indexes, locks notes, / })
  t.equal(
    (await admin.query("SELECT to_regclass('tenants') AS made")).rows[0].made,
    null,
    'nothing is changed'
  )
  const [up = '', down = ''] = readFileSync(file, 'utf8').split(/^-- Down: .*$/m)
  const fresh = await securitySnapshot(admin)
  await runByHand(admin, up)
  const other = await at(t, after)
  t.same(
    await securitySnapshot(admin, ['notes', 'tasks']),
    await securitySnapshot(other.admin, ['notes', 'tasks'])
  )
  await runByHand(admin, down)
  const left = await securitySnapshot(admin)
  t.same(
    left.filter(line => !line.startsWith('schema twinrule ')),
    fresh
  )
})

t.test('the status says what is there and what is to do', async t => {
  const { database, admin } = await at(t, before)
  const done = await twinrule(['status', '--database', database.url(), '--policies', before])
  t.equal(done.code, 0, done.err)
  t.match(done.out, /^server {5}PostgreSQL \d+\.\d+/)
  t.match(done.out, /^revision {3}[0-9a-f]{64}, since \d{4}-/m)
  t.match(done.out, /^applied {4}0001_tenancy, \d{4}-.*\napplied {4}0002_resources, /m)
  t.match(done.out, /^to do {6}nothing to do\n$/m)
  await admin.query(
    'ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY; CREATE POLICY theirs ON notes USING (public)'
  )
  const open = await twinrule(['status', '--database', database.url(), '--policies', before])
  t.equal(open.code, 1)
  t.match(
    open.out,
    /^pending {4}rls tasks \(repaired\)\nby others {2}notes: theirs \(ALL to PUBLIC\) USING \(public\)\n/m
  )
  const { out } = await twinrule(['status', '-d', database.url(), '--policies', after, '--format', 'json'])
  t.match(JSON.parse(out), {
    revision: (await compiled(before)).revision,
    policies: (await compiled(after)).revision,
    applied: [{ name: '0001_tenancy' }, { name: '0002_resources' }],
    due: true,
    pendingMigrations: [],
    foreign: [{ table: 'notes', name: 'theirs', command: 'ALL', using: 'public' }]
  })
  const fresh = await createDatabase(t)
  const nothing = await twinrule(['status', '-d', fresh.url(), '--policies', after])
  t.match(nothing, {
    code: 1,
    out: /^revision {3}none\n.*^pending {4}migration 0001_tenancy\n.*^pending {4}\d\d objects\n/ms
  })
})

t.test('what cannot be read is not taken for no difference', async t => {
  const none = join(folders, 'none')
  t.match(await twinrule(['plan', '--from', none, '--policies', after]), {
    code: 2,
    err: /TWR_CONFIG_REVISION --from/
  })
  t.match(await twinrule(['plan', '--from', before, '--database', 'postgres://x']), {
    code: 2,
    err: /--database does not go with --from/
  })
  t.match(await twinrule(['plan', '--policies', after]), { code: 2, err: /no database to migrate/ })
  t.match(await twinrule(['--policies', after, 'plan', '--from', before]), {
    code: 2,
    err: /--policies goes after `plan`/
  })
  const unreachable = ['--database', 'postgres://postgres@127.0.0.1:1/app', '--policies', after]
  t.match(await twinrule(['plan', ...unreachable]), { code: 3, err: /^TWR_DB_UNREACHABLE / })
  t.match(await twinrule(['status', ...unreachable]), { code: 3, err: /^TWR_DB_UNREACHABLE / })
})
