import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../src/cli/run.js'
import { startService } from '../../src/cli/serve/service.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder } from '../../src/policy/load.js'
import { capture } from '../support/capture.js'
import { createDatabase, type Database, TEST_PASSWORD } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle } from '../support/example.js'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')
const COLLABORATION = join(import.meta.dirname, '..', '..', 'examples', 'collaboration')
const KEY = 'test-key'

interface Told {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function test(dir: string, ...argv: readonly string[]): Promise<Told> {
  const { io, out, err } = capture({ TWINRULE_API_KEYS: KEY })
  const code = await run(['test', dir, ...argv], io)
  return { code, out: out(), err: err() }
}

/** What a report says of its failures, without the name of the folder. */
function failures({ out }: Told): readonly string[] {
  return [...out.matchAll(/^FAILED {2}(.*?) {2}\S*?(platform\.test\.yaml:\S+)\n {2}(.*)$/gm)].map(
    ([, ...parts]) => parts.join(' | ')
  )
}

/** The example policies with tests of which some expectations are changed. */
function withTests(t: Test, change: (text: string) => string): string {
  const dir = t.testdir({})
  cpSync(POLICIES, dir, { recursive: true })
  const file = join(dir, 'platform.test.yaml')
  writeFileSync(file, change(readFileSync(file, 'utf8')))
  return dir
}

async function service(t: Test, database: Database): Promise<string> {
  const { io } = capture({
    PORT: '0',
    LOG_LEVEL: 'silent',
    TWINRULE_API_KEYS: KEY,
    DATABASE_URL: database.url('twinrule_service')
  })
  const server = await startService({ policies: POLICIES }, io)
  t.teardown(() => server.close())
  return server.address
}

t.test('the tests of the example policy pass on every lock', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const url = await service(t, database)
  const { code, out, err } = await test(POLICIES, '--database', database.url(), '--url', url)
  t.equal(code, 0, out + err)
  t.match(out, /\n\d+ passed, 0 failed, asked in process, http and rls\n$/)
  const admin = await database.client()
  t.teardown(() => admin.end())
  const { rows } = await admin.query('SELECT count(*)::int AS agents FROM agents')
  t.strictSame(rows, [{ agents: 4 }], 'and leave nothing behind')
})

t.test('a wrong expectation fails on every lock with the same message', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const url = await service(t, database)
  const dir = withTests(t, text =>
    text
      .replace(
        'gus: [globex_private, acme_for_globex, translator]',
        'gus: [acme_private, acme_for_globex, translator]'
      )
      .replace('who: ada, may_not: create', 'who: ada, may: create')
      .replace('{ sharing_mode: global }, by: platform-admin', '{ sharing_mode: global }')
      .replace(
        'who: root, may: update, what: acme_private, changes: { sharing_mode',
        'who: root, may_not: update, what: acme_private, changes: { sharing_mode'
      )
  )
  const runs = [[], ['--url', url], ['--database', database.url()], ['--rls']]
  const told = []
  for (const argv of runs) told.push(await test(dir, ...argv))
  const [first] = told.map(failures)
  t.equal(first?.length, 5)
  t.match(first, [
    /^who may read which agent: gus may read acme_private \| platform.test.yaml:\d+:7 \| expected allow, got deny$/,
    /^who may read which agent: gus may not read globex_private \| .* \| expected deny, got allow$/
  ])
  for (const one of told) {
    t.equal(one.code, 1)
    t.strictSame(failures(one), first)
  }
})

t.test('a lock that differs from the others is named', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const url = await service(t, database)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(`CREATE POLICY planted ON agents FOR SELECT TO twinrule_app USING (name = 'open')`)
  const dir = withTests(t, text =>
    text.replace('acme_private: { tenant_id: acme }', 'acme_private: { tenant_id: acme, name: open }')
  )
  const planted = await test(dir, '--database', database.url(), '--url', url)
  t.match(failures(planted), [
    /gus may not read acme_private \| .* \| the locks disagree: rls allow, in process and http deny as expected$/,
    /ivy may not read acme_private \| .* \| the locks disagree: rls allow, in process and http deny as expected$/
  ])
  t.equal(failures(planted).length, 2)
  t.match(planted.out, /rls: allow, the statement reaches the row/)
  await admin.query('DROP POLICY planted ON agents')

  await admin.query('UPDATE user_tenants SET status = $1 WHERE user_id = $2', ['suspended', DEMO.gus])
  const revoked = await test(dir, '--database', database.url(), '--url', url)
  t.match(
    failures(revoked)[0],
    /gus may read acme_for_globex .* the locks disagree: http deny, in process and rls allow as expected$/
  )
  t.match(revoked.out, /http: deny, .*the service reads principals from its own database/)
})

t.test('related rows, forbids, column rules and added actions under row-level security', async t => {
  const embedded = await test(join(COLLABORATION, 'policies'), '--rls')
  t.equal(embedded.code, 0, embedded.out + embedded.err)

  const database = await createDatabase(t)
  const { bundle } = await loadFolder(join(COLLABORATION, 'policies'))
  if (bundle === null) throw new Error('the example does not load')
  await migrate({ database: database.url(), bundle: await exampleBundle() })
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(readFileSync(join(COLLABORATION, 'tables.sql'), 'utf8'))
  await migrate({ database: database.url(), bundle, passwords: { app: TEST_PASSWORD } })
  const server = await test(join(COLLABORATION, 'policies'), '--database', database.url())
  t.equal(server.code, 0, server.out + server.err)
})

const NOTES = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, level: int }
    rules:
      owner: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id }
`
const OF_NOTES = `version: 1
tenants: { acme: {} }
principals: { ada: { tenant: acme } }
rows: { note: { small: { tenant_id: acme, level: 1 }, large: { tenant_id: acme, level: 100 } } }
tests:
  - { who: ada, may: [read, create, update], what: small }
`

async function notes(t: Test, table: string) {
  const dir = t.testdir({ 'notes.yaml': NOTES, 'notes.test.yaml': OF_NOTES })
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(table)
  const { bundle } = await loadFolder(dir)
  if (bundle === null) throw new Error('the notes do not load')
  await migrate({ database: database.url(), bundle })
  return { dir, database, admin }
}

t.test(
  'columns that the policy does not know are filled, and ids that the database makes are left to it',
  async t => {
    const { dir, database } = await notes(
      t,
      `CREATE TYPE mood AS ENUM ('good');
     CREATE TABLE owners (id int PRIMARY KEY);
     CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, level bigint, title text NOT NULL,
       at timestamptz NOT NULL, parts text[] NOT NULL, data jsonb NOT NULL, done boolean NOT NULL, size int NOT NULL,
       by uuid NOT NULL, owner int NOT NULL DEFAULT 7 REFERENCES owners)`
    )
    const { code, out } = await test(dir, '--database', database.url())
    t.equal(code, 0, out)
    t.match(out, /\n3 passed, 0 failed, asked in process and rls\n$/)
  }
)

t.test('a statement that fails for another reason is no decision of the policies', async t => {
  const { dir, database } = await notes(
    t,
    `CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, level bigint);
     CREATE FUNCTION too_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the table is full'; END $$;
     CREATE TRIGGER too_many BEFORE INSERT ON notes EXECUTE FUNCTION too_many()`
  )
  const { code, out } = await test(dir, '--database', database.url())
  t.equal(code, 1)
  t.match(
    out,
    /ada may create small {2}.*\n {2}rls cannot tell: the statement failed for another reason: the table is full/
  )
})

t.test('fixtures that the database refuses are named, and nothing is left behind', async t => {
  const { dir, database, admin } = await notes(
    t,
    'CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, level bigint CHECK (level < 10))'
  )
  const { code, err } = await test(dir, '--database', database.url())
  t.equal(code, 2)
  t.match(err, /^TWR_TEST_FIXTURE the rows of notes cannot be stored: .*violates check constraint/)
  t.strictSame((await admin.query('SELECT * FROM user_tenants')).rows, [])
})

t.test('a database or service that cannot be asked is not a failed test', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const service_ = await test(POLICIES, '--database', database.url('twinrule_service'))
  t.match(service_, { code: 2, err: /^TWR_TEST_FIXTURE the login twinrule_service is no superuser/ })
  const other = withTests(t, text => text)
  writeFileSync(join(other, 'more.yaml'), NOTES.replace(/principal.*\n/, ''))
  t.match(await test(other, '--database', database.url()), {
    code: 78,
    err: /^TWR_DB_NOT_MIGRATED the database has revision/
  })
  const empty = await createDatabase(t)
  t.match(await test(POLICIES, '--database', empty.url()), { code: 78, err: /the database has no policies/ })
  t.match(await test(POLICIES, '--database', 'postgres://x@127.0.0.1:1/x'), {
    code: 3,
    err: /TWR_DB_UNREACHABLE/
  })

  const url = await service(t, database)
  t.match(await test(other, '--url', url), {
    code: 2,
    err: /^TWR_TEST_SERVICE .*it has other policies: revision/
  })
  t.match(await test(POLICIES, '--url', 'http://127.0.0.1:1'), {
    code: 2,
    err: /TWR_TEST_SERVICE .*it does not answer/
  })
  t.match(await test(POLICIES, '--url', 'nowhere'), { code: 2, err: /--url nowhere is no URL/ })
  const { io, err } = capture({ TWINRULE_API_KEYS: 'another-key' })
  t.equal(await run(['test', POLICIES, '--url', url], io), 2)
  t.match(err(), /it does not take the API key/)
})

t.test('a stateless service is asked with what the file says of principals', async t => {
  const { io } = capture({ PORT: '0', LOG_LEVEL: 'silent', TWINRULE_API_KEYS: KEY })
  const server = await startService({ policies: POLICIES, stateless: true }, io)
  t.teardown(() => server.close())
  const { code, out, err } = await test(POLICIES, '--url', server.address)
  t.equal(code, 0, out + err)
  t.match(out, /\n\d+ passed, 0 failed, asked in process and http\n$/)
})
