import type pg from 'pg'
import t, { type Test } from 'tap'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Database, TEST_PASSWORD } from '../support/cluster.js'
import { acting, demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const SETTINGS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const

async function settingsOf(database: Database, role: string): Promise<readonly string[]> {
  const client = await database.client(role)
  try {
    const { rows } = await client.query(
      'SELECT current_setting(name) AS it FROM unnest($1::text[]) WITH ORDINALITY AS s (name, place) ORDER BY place',
      [SETTINGS]
    )
    return rows.map(({ it }) => it)
  } finally {
    await client.end()
  }
}

function closing<T extends { end(): Promise<void> }>(t: Test, client: T): T {
  t.teardown(() => client.end())
  return client
}

t.test('the logins have timeouts, which belong to this database and end with it', async t => {
  const database = await demoDatabase(t, bundle)
  const admin = closing(t, await database.client())
  t.same(await settingsOf(database, 'twinrule_app'), ['30s', '5s', '1min'])
  t.same(await settingsOf(database, 'twinrule_service'), ['5s', '2s', '10s'])
  const other = await createDatabase(t)
  t.same(await settingsOf(other, 'twinrule_app'), ['0', '0', '0'], 'another database of the cluster')
  await migrate({ database: database.url(), bundle, direction: 'down' })
  const { rows } = await admin.query(
    `SELECT setrole::regrole FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`
  )
  t.same(rows, [])
})

t.test('what the operator has set stays, for the role, the database or the server', async t => {
  const database = await createDatabase(t)
  const admin = closing(t, await database.client())
  await migrate({ database: admin, bundle, passwords: { app: TEST_PASSWORD, service: TEST_PASSWORD } })
  const change = (text: string) => admin.query(text.replaceAll('DB', database.name))
  await change("ALTER ROLE twinrule_app IN DATABASE DB SET statement_timeout = '5min'")
  await change('ALTER ROLE twinrule_app IN DATABASE DB RESET lock_timeout')
  await change("ALTER DATABASE DB SET lock_timeout = '7s'")
  await change('ALTER ROLE twinrule_service IN DATABASE DB SET statement_timeout = 0')
  t.match((await migrate({ database: admin, bundle })).steps, [/^applied the access rules/])
  t.same((await migrate({ database: admin, bundle })).steps, [])
  t.same(await settingsOf(database, 'twinrule_app'), ['5min', '7s', '1min'])
  t.same(await settingsOf(database, 'twinrule_service'), ['0', '2s', '10s'])
  await migrate({ database: admin, bundle, direction: 'down' })
  const { rows } = await admin.query(
    `SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND setrole = 0`
  )
  t.same(rows, [{ setconfig: ['lock_timeout=7s'] }], 'not ours to take away')
})

t.test('a statement, a lock and an idle transaction end by themselves', async t => {
  const database = await demoDatabase(t, bundle)
  const admin = closing(t, await database.client())
  const times = {
    statement_timeout: '600ms',
    lock_timeout: '200ms',
    idle_in_transaction_session_timeout: '1500ms'
  }
  for (const [setting, time] of Object.entries(times)) {
    await admin.query(`ALTER ROLE twinrule_app IN DATABASE ${database.name} SET ${setting} = '${time}'`)
  }
  const [app, other] = [await database.client('twinrule_app'), await database.client('twinrule_app')]
  closing(t, app)
  closing(t, other)
  await t.rejects(app.query('SELECT pg_sleep(10)'), { code: '57014' })
  const ended = new Promise(resolve => other.once('error', resolve))
  await admin.query('GRANT DELETE ON agents TO twinrule_app') // else the app role could not lock the table
  await other.query('BEGIN; LOCK TABLE agents IN ACCESS EXCLUSIVE MODE')
  await t.rejects(app.query('SELECT FROM agents'), { code: '55P03' })
  t.match(await ended, { code: '25P03' }, 'and whoever holds the lock is disconnected')
  await app.query('SELECT FROM agents')
})

const LOCKED = `
version: 1
principal: { id: uuid, tenant_id: uuid }
traits:
  mine:
    columns: { id: int!, tenant_id: uuid! }
    rules: { mine: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id } }
  deletable:
    rules: { gone: { allow: [delete], when: resource.tenant_id == principal.tenant_id } }
resources:
  note: { table: notes, use: [mine] }
  plain: { table: plains, use: [mine, deletable] }
  stated: { table: stated, use: [mine, deletable], columns: { gone: timestamptz }, soft_delete: gone, delete_through: statement }
  kept: { table: kept, use: [mine, deletable], columns: { gone: timestamptz }, soft_delete: gone }
  removed: { table: removed, use: [mine, deletable], delete_through: remove }
`
const MODES = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE'
]

for (const server of ['usual', 'registry'] as const) {
  t.test(`who holds no DELETE locks no table, in any mode that anybody waits for: ${server}`, async t => {
    const database = await demoDatabase(t, bundle, server)
    const admin = closing(t, await database.client())
    for (const table of ['notes', 'plains', 'stated', 'kept', 'removed']) {
      await admin.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, tenant_id uuid NOT NULL, gone timestamptz)`
      )
    }
    const app = closing(t, await database.client('twinrule_app'))
    const locks = async (table: string, role = 'none') => {
      const allowed: string[] = []
      for (const mode of MODES) {
        await app.query(`BEGIN; SET LOCAL ROLE ${role}`)
        await app.query(`LOCK TABLE ${table} IN ${mode} MODE`).then(
          () => allowed.push(mode),
          (error: { code: string }) => t.equal(error.code, '42501', mode)
        )
        await app.query('ROLLBACK')
      }
      return allowed
    }
    for (const role of ['none', 'authz_platform_admin']) {
      t.same(await locks('agents', role), ['ACCESS SHARE'], `the example, ${role}`)
      t.same(await locks('tenants', role), [])
    }
    // PostgreSQL checks LOCK against the rights on the whole table, so what is granted by column permits none
    await admin.query('CREATE TABLE columns (a int, b int)')
    await admin.query(`SET twinrule.allow_unprotected = 'on';
      GRANT SELECT (a), INSERT (a), UPDATE (a), REFERENCES (a) ON columns TO twinrule_app; RESET twinrule.allow_unprotected`)
    t.same(await locks('columns'), [])
    const { bundle: made, problems } = loadTexts({ 'p.yaml': LOCKED })
    if (made === null) throw new Error(problems.join('\n'))
    await migrate({ database: database.url(), bundle: made })
    for (const table of ['notes', 'kept', 'removed']) t.same(await locks(table), ['ACCESS SHARE'], table)
    for (const table of ['plains', 'stated']) t.same(await locks(table), MODES, `${table}: DELETE is granted`)
  })
}

t.test('no role of twinrule creates anything, temporary or not, or writes around the policies', async t => {
  const database = await demoDatabase(t, bundle)
  const admin = closing(t, await database.client())
  const refused = [
    'CREATE TEMPORARY TABLE x (id int)',
    'CREATE TABLE x (id int)',
    'CREATE TABLE twinrule.x (id int)',
    'CREATE SCHEMA x',
    'CREATE EXTENSION hstore',
    'CREATE FUNCTION public.x() RETURNS int RETURN 1',
    'CREATE VIEW public.x AS SELECT 1',
    'TRUNCATE agents',
    'ALTER TABLE agents DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE agents DISABLE TRIGGER ALL',
    'CREATE TRIGGER x AFTER INSERT ON agents EXECUTE FUNCTION twinrule.x()',
    'CREATE POLICY x ON agents USING (true)',
    "COPY agents TO PROGRAM 'true'"
  ]
  const roles = [
    'twinrule_app',
    'twinrule_service',
    'twinrule_context',
    'twinrule_facts',
    'authz_platform_admin'
  ]
  for (const role of roles) {
    for (const statement of refused) {
      await admin.query(`BEGIN; SET LOCAL ROLE ${role}`)
      const code = await admin.query(statement).then(
        () => 'done',
        (error: { code: string }) => error.code
      )
      t.match(code, /^(42501|42883|42704)$/, `${role}: ${statement}`)
      await admin.query('ROLLBACK')
    }
  }
  const app = closing(t, await database.client('twinrule_app'))
  await acting(app, 'ada', async () => {
    await t.rejects(
      app.query('COPY agents (name) FROM STDIN'),
      { code: '0A000' },
      'COPY does not know policies'
    )
  })
})

t.test('TEMPORARY is taken from everybody, kept by logins of this database, and given back', async t => {
  const database = await createDatabase(t)
  const admin = closing(t, await database.client())
  const [known, later] = [`known_${database.name}`, `later_${database.name}`]
  const may = async (role: string) =>
    (await admin.query("SELECT has_database_privilege($1, current_database(), 'TEMPORARY') AS may", [role]))
      .rows[0].may
  await admin.query(`CREATE ROLE ${known} LOGIN; CREATE TABLE x (); GRANT SELECT ON x TO ${known}`)
  t.teardown(() => drop(admin, known, later))
  await migrate({ database: database.url(), bundle })
  await admin.query(`CREATE ROLE ${later} LOGIN`)
  t.same([await may(known), await may(later), await may('twinrule_app')], [true, false, false])
  await admin.query(`GRANT TEMPORARY ON DATABASE ${database.name} TO PUBLIC`)
  t.equal(await may('twinrule_app'), true)
  await migrate({ database: database.url(), bundle })
  t.same([await may(known), await may(later), await may('twinrule_app')], [true, false, false])
  await migrate({ database: database.url(), bundle, direction: 'down' })
  t.same([await may(known), await may(later)], [true, true])
  const { rows } = await admin.query(
    'SELECT datacl::text AS acl FROM pg_database WHERE datname = current_database()'
  )
  t.equal(rows[0].acl, '{=Tc/postgres,postgres=CTc/postgres}', 'as it was')
})

async function drop(admin: pg.Client, ...roles: readonly string[]): Promise<void> {
  for (const role of roles) {
    await admin.query(`DROP OWNED BY ${role}`)
    await admin.query(`DROP ROLE ${role}`)
  }
}
