import { cp, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { accessMigration } from '../../src/backends/sql/access.js'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { isVerifierOf, scramVerifier, setPasswordSql } from '../../src/migrate/passwords.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Database, SCRAM_ROLE, startCluster } from '../support/cluster.js'
import { DEMO, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const ALL = Number.POSITIVE_INFINITY

function compiled(text: string): Bundle {
  const { bundle: made, problems } = loadTexts({ 'test.yaml': text })
  if (made === null) throw new Error(problems.join('\n'))
  return made
}

const SMALL = `
version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid }
    rules:
      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
`

async function query(database: Database, text: string): Promise<Record<string, unknown>[]> {
  const client = await database.client()
  try {
    const result: unknown = await client.query(text)
    return Array.isArray(result) ? [] : (result as pg.QueryResult).rows
  } finally {
    await client.end()
  }
}

t.test('a fresh database is migrated up, a second time nothing happens, and down and up work', async t => {
  const database = await createDatabase(t)
  const url = database.url()
  const first = await migrate({ database: url, bundle, demo: true })
  t.match(first.steps, [
    'applied 0001_tenancy',
    'applied 0002_resources',
    /^applied the access rules/,
    'loaded the demo data'
  ])
  t.same((await migrate({ database: url, bundle, demo: true })).steps, [])
  const down = await migrate({ database: url, bundle, direction: 'down', count: ALL })
  t.same(down.steps, ['removed the access rules', 'undid 0002_resources', 'undid 0001_tenancy'])
  const left = await query(
    database,
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'twinrule'::regnamespace)
     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'twinrule'::regnamespace
     UNION ALL SELECT polname FROM pg_policy`
  )
  t.same(left, [{ relname: 'migrations' }], 'nothing but the record of what was run is left')
  t.equal((await migrate({ database: url, bundle })).steps.length, 3)
  t.same((await migrate({ database: url, bundle })).steps, [])
  t.same((await migrate({ database: url, bundle, direction: 'down' })).steps, ['removed the access rules'])
  t.match((await migrate({ database: url, bundle })).steps, [/^applied the access rules/])
})

t.test('the migration leaves the settings of a borrowed connection as they were', async t => {
  const database = await createDatabase(t)
  const client = await database.client()
  t.teardown(() => client.end())
  const path = async () => (await client.query('SHOW search_path')).rows
  const before = await path()
  await migrate({ database: client, bundle })
  t.same(await path(), before)
})

t.test(
  'failure 13: two migrations never share a number, and the platform is seeded after its columns',
  async t => {
    const database = await createDatabase(t)
    const dir = t.testdir()
    await cp('migrations', dir, { recursive: true })
    await writeFile(join(dir, '0002_again.sql'), '-- Up Migration\n-- Down Migration\n')
    await t.rejects(migrate({ database: database.url(), bundle, migrationsDir: dir }), { code: 'TWR_CONFIG' })
    await rename(join(dir, '0002_again.sql'), join(dir, '3-again.sql'))
    await t.rejects(migrate({ database: database.url(), bundle, migrationsDir: dir }), {
      code: 'TWR_CONFIG',
      message: /3-again.sql is not a migration/
    })
    await t.rejects(migrate({ database: database.url(), bundle, migrationsDir: join(dir, 'none') }), {
      code: 'TWR_CONFIG'
    })
    await migrate({ database: database.url(), bundle })
    t.same(await query(database, `SELECT id, slug, type, status FROM tenants`), [
      { id: DEMO.platform, slug: 'platform', type: 'platform', status: 'active' }
    ])
  }
)

/** What a hand-made system may have left: text and enum columns, no columns, duplicates, RLS on without a policy. */
const HAND_MADE = `
CREATE TYPE tenant_kind AS ENUM ('client', 'platform');
CREATE TABLE tenants (id uuid PRIMARY KEY, name varchar(50), slug varchar(20) UNIQUE, type tenant_kind DEFAULT 'client', billing_email text);
INSERT INTO tenants VALUES ('${DEMO.acme}', 'Acme', 'acme', 'client', 'pay@acme.example'), ('${DEMO.initech}', NULL, 'platform', NULL, NULL);
CREATE TABLE user_tenants (id serial PRIMARY KEY, user_id uuid, tenant_id uuid, role text, is_default boolean);
INSERT INTO user_tenants (user_id, tenant_id, role, is_default) VALUES
  ('${DEMO.ada}', '${DEMO.acme}', 'owner', true), ('${DEMO.ada}', '${DEMO.initech}', NULL, true);
CREATE TABLE user_roles (user_id uuid, role text, tenant_id uuid, UNIQUE (user_id, role, tenant_id));
INSERT INTO user_roles SELECT '${DEMO.root}', 'platform_admin', NULL FROM generate_series(1, 3);
CREATE TABLE agents (id uuid PRIMARY KEY, name text, tenant_id text, shared_with text[]);
INSERT INTO agents VALUES ('${DEMO.agent(1)}', 'ours', '${DEMO.acme}', '{${DEMO.globex}}'), ('${DEMO.agent(2)}', NULL, NULL, NULL);
CREATE TABLE tools (id uuid DEFAULT gen_random_uuid(), name text);
INSERT INTO tools (name) VALUES ('old');
ALTER TABLE tools ENABLE ROW LEVEL SECURITY;
`

t.test('a hand-made system is brought to now with its rows, and back', async t => {
  const database = await createDatabase(t)
  await query(database, HAND_MADE)
  await migrate({ database: database.url(), bundle })
  t.same((await migrate({ database: database.url(), bundle })).steps, [])
  t.same(
    await query(
      database,
      'SELECT name, tenant_id, is_shared, sharing_mode, shared_with, resource_type FROM agents ORDER BY id'
    ),
    [
      {
        name: 'ours',
        tenant_id: DEMO.acme,
        is_shared: false,
        sharing_mode: 'private',
        shared_with: `{${DEMO.globex}}`,
        resource_type: 'custom'
      },
      {
        name: 'unnamed',
        tenant_id: DEMO.platform,
        is_shared: true,
        sharing_mode: 'global',
        shared_with: '{}',
        resource_type: 'platform'
      }
    ].map(row => ({ ...row, shared_with: row.shared_with === '{}' ? [] : [DEMO.globex] }))
  )
  t.same(await query(database, 'SELECT tenant_id, is_shared, sharing_mode, resource_type FROM tools'), [
    { tenant_id: DEMO.platform, is_shared: true, sharing_mode: 'global', resource_type: 'platform' }
  ])
  t.same(await query(database, 'SELECT count(*)::int AS n FROM user_roles'), [{ n: 1 }])
  t.same(await query(database, 'SELECT count(*)::int AS n FROM user_tenants WHERE is_default'), [{ n: 1 }])
  t.same(await query(database, `SELECT slug, type, status, billing_email FROM tenants ORDER BY slug`), [
    { slug: 'acme', type: 'client', status: 'active', billing_email: 'pay@acme.example' },
    { slug: 'platform', type: 'client', status: 'active', billing_email: null },
    { slug: 'twinrule-platform', type: 'platform', status: 'active', billing_email: null }
  ])
  await migrate({ database: database.url(), bundle, direction: 'down', count: ALL })
  t.same(await query(database, 'SELECT id, name FROM agents ORDER BY id'), [
    { id: DEMO.agent(1), name: 'ours' },
    { id: DEMO.agent(2), name: 'unnamed' }
  ])
  const columns = await query(
    database,
    `SELECT attname FROM pg_attribute WHERE attrelid = 'agents'::regclass AND attnum > 0 AND NOT attisdropped`
  )
  t.same(
    columns.map(({ attname }) => attname),
    ['id', 'name', 'tenant_id', 'shared_with']
  )
  t.same(await query(database, `SELECT to_regclass('workflows') AS workflows`), [{ workflows: null }])
  await migrate({ database: database.url(), bundle })
})

t.test('databases of one cluster, and processes on one database, migrate at the same time', async t => {
  const databases = await Promise.all([1, 2, 3].map(() => createDatabase(t)))
  const all = databases.flatMap(database => [database, database])
  const reports = await Promise.all(
    all.map(database => migrate({ database: database.url(), bundle, demo: true }))
  )
  t.equal(
    reports.flatMap(({ steps }) => steps).length,
    4 * databases.length,
    'each step once for each database'
  )
  await Promise.all(
    databases.map(database => migrate({ database: database.url(), bundle, direction: 'down', count: ALL }))
  )
})

t.test('a failure leaves everything as it was and names the migration', async t => {
  const database = await createDatabase(t)
  await query(
    database,
    "CREATE TABLE workflows (tenant_id uuid, sharing_mode text); INSERT INTO workflows VALUES ('00000000-0000-0000-0000-000000000001', 'everyone')"
  )
  const before = await query(database, 'SELECT count(*)::int AS n FROM pg_class')
  await t.rejects(migrate({ database: database.url(), bundle }), {
    code: 'TWR_DB_MIGRATION',
    sqlstate: '23514',
    message: /^migration 0002_resources failed: .*workflows_sharing_mode_check/,
    hint: /correct them/
  })
  t.same(await query(database, 'SELECT count(*)::int AS n FROM pg_class'), before)
  await t.rejects(migrate({ database: 'postgres://nobody@127.0.0.1:1/none', bundle }), {
    code: 'TWR_DB_UNREACHABLE'
  })
})

t.test('tables and columns that the policy names must be there', async t => {
  const database = await createDatabase(t)
  const small = compiled(SMALL)
  const fails = (message: RegExp) =>
    t.rejects(migrate({ database: database.url(), bundle: small }), { code: 'TWR_DB_MIGRATION', message })
  await fails(/the resource note names the table public.notes, which does not exist/)
  await query(database, 'CREATE TABLE notes (id uuid NOT NULL)')
  await fails(/the resource note declares the column tenant_id, which public.notes does not have/)
  await query(database, 'ALTER TABLE notes ADD tenant_id char(36)')
  await fails(/public.notes.tenant_id is character, but the resource note declares uuid/)
  await query(database, 'ALTER TABLE notes DROP tenant_id, ADD tenant_id uuid, ALTER id DROP NOT NULL')
  await fails(/public.notes.id is uuid, but the resource note declares uuid NOT NULL/)
})

const NOTES = `-- Up Migration
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid REFERENCES tenants (id)) -- no semicolon
-- Down Migration
DROP TABLE notes
`

t.test("one's own migrations create in public, and another folder is refused by name", async t => {
  const database = await createDatabase(t)
  const dir = t.testdir()
  await cp('migrations', dir, { recursive: true })
  await writeFile(join(dir, '0003_notes.sql'), NOTES)
  const options = { database: database.url(), bundle: compiled(SMALL), migrationsDir: dir }
  t.match((await migrate(options)).steps, [/0001/, /0002/, 'applied 0003_notes', /^applied the access rules/])
  t.same((await migrate(options)).steps, [])
  t.same(await query(database, "SELECT to_regclass('public.notes') IS NOT NULL AS there"), [{ there: true }])
  const elsewhere = { database: database.url(), bundle }
  for (const direction of ['up', 'down'] as const) {
    await t.rejects(migrate({ ...elsewhere, direction }), {
      code: 'TWR_DB_MIGRATION',
      message: /lacks migrations that this database has run: 0003_notes\.sql$/,
      hint: /--migrations DIR/
    })
  }
  t.match((await migrate({ ...options, direction: 'down', count: 2 })).steps, [/access/, 'undid 0003_notes'])
  t.same((await migrate(elsewhere)).steps.length, 1, 'then the other folder will do')
})

t.test('a mistake at the end of a line is told in the words of the server', async t => {
  const database = await createDatabase(t)
  const wrong = `CREATE FUNCTION wrong() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF CASE WHEN true
    THEN true ELSE false END THEN NULL; END IF;
END $$;`
  const dir = t.testdir({ '0001_wrong.sql': `-- Up Migration\n${wrong}\n-- Down Migration\n` })
  await t.rejects(migrate({ database: database.url(), bundle, migrationsDir: dir }), {
    code: 'TWR_DB_MIGRATION',
    message: /^migration 0001_wrong failed: syntax error/
  })
})

t.test('a revision that changes nothing in SQL is recorded', async t => {
  const database = await createDatabase(t)
  await query(database, 'CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid)')
  const { revision } = compiled(`actions: { invoke: {} }${SMALL}`)
  await migrate({ database: database.url(), bundle: compiled(SMALL) })
  const next = { database: database.url(), bundle: compiled(`actions: { invoke: {} }${SMALL}`) }
  t.same((await migrate(next)).steps, [`applied the access rules of revision ${revision} (0 objects)`])
  t.same(await query(database, 'SELECT revision FROM twinrule.state'), [{ revision }])
})

t.test('a policy from elsewhere on a managed table is refused', async t => {
  const database = await createDatabase(t)
  await migrate({ database: database.url(), bundle })
  for (const [made, said] of [
    ['USING (true)', 'everyone (ALL to PUBLIC) USING (true)'],
    [
      'AS RESTRICTIVE FOR SELECT TO postgres USING (is_shared)',
      'everyone (restrictive, SELECT to postgres) USING (is_shared)'
    ]
  ]) {
    await query(database, `CREATE POLICY everyone ON tools ${made}`)
    await t.rejects(migrate({ database: database.url(), bundle }), {
      code: 'TWR_DB_MIGRATION',
      message: new RegExp(`tools: ${said?.replaceAll(/[()]/g, '.')}`)
    })
    await query(database, 'DROP POLICY everyone ON tools')
  }
  t.same((await migrate({ database: database.url(), bundle })).steps, [])
})

t.test('what was changed by hand is put right', async t => {
  const database = await createDatabase(t)
  await migrate({ database: database.url(), bundle })
  for (const change of [
    'ALTER TABLE agents DISABLE ROW LEVEL SECURITY',
    'DROP POLICY twinrule_agents_select ON agents',
    'ALTER POLICY twinrule_agents_select ON agents USING (true)',
    'GRANT TRUNCATE ON agents TO twinrule_app',
    'GRANT EXECUTE ON FUNCTION twinrule.membership(uuid, uuid) TO PUBLIC',
    'CREATE POLICY twinrule_mine ON agents USING (true)'
  ]) {
    await query(database, change)
    t.match(
      (await migrate({ database: database.url(), bundle })).steps,
      [/^applied the access rules/],
      change
    )
    t.same((await migrate({ database: database.url(), bundle })).steps, [])
  }
})

t.test('a table that leaves the policy stays closed, and the old revision can be undone', async t => {
  const database = await createDatabase(t)
  await migrate({ database: database.url(), bundle })
  await query(database, 'CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid)')
  const lines: string[] = []
  await migrate({
    database: database.url(),
    bundle: compiled(SMALL),
    log: line => lines.push(line),
    indexes: 'none'
  })
  t.match(lines.sort()[0] ?? '', /the table agents is not in the policy any more/)
  t.equal(lines.length, 5)
  t.same(
    await query(
      database,
      `SELECT relrowsecurity, has_table_privilege('twinrule_app', oid, 'SELECT') AS may,
         (SELECT count(*)::int FROM pg_policy WHERE polrelid = c.oid) AS policies FROM pg_class AS c WHERE relname = 'agents'`
    ),
    [{ relrowsecurity: true, may: false, policies: 0 }]
  )
  await migrate({ database: database.url(), bundle, direction: 'down' })
  t.same(await query(database, `SELECT relrowsecurity FROM pg_class WHERE relname = 'notes'`), [
    { relrowsecurity: false }
  ])
})

t.test('only a superuser migrates, and a dangerous role is not taken over', async t => {
  const database = await createDatabase(t)
  const [weak, strong] = ['weak', 'strong'].map(name => `${name}_${database.name}`)
  await query(database, `CREATE ROLE ${weak} LOGIN CREATEROLE; CREATE ROLE ${strong} SUPERUSER`)
  t.teardown(async () => {
    await database.drop()
    const cluster = await startCluster()
    const client = new pg.Client(cluster.adminUrl)
    await client.connect()
    await client.query(`DROP ROLE ${weak}`)
    await client.query(`DROP ROLE ${strong}`)
    await client.end()
  })
  await query(database, `ALTER ROLE ${weak} PASSWORD 'twinrule-test'`)
  await t.rejects(migrate({ database: database.url(weak), bundle }), {
    code: 'TWR_DB_MIGRATION',
    hint: /superuser|migrate as one/
  })
  await query(database, 'CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid)')
  const flagged = SMALL.replace(
    'tenant_id: uuid }',
    `tenant_id: uuid, is_boss: { type: bool, role: ${strong} } }`
  ).replace('when: resource', 'when: principal.is_boss || resource')
  await t.rejects(migrate({ database: database.url(), bundle: compiled(flagged) }), {
    message: /exists with attributes that it must not have/
  })
})

t.test('a password is stored as a SCRAM verifier that the server accepts, and set once', async t => {
  const database = await createDatabase(t)
  const stored = async () =>
    (await query(database, `SELECT rolpassword AS it FROM pg_authid WHERE rolname = '${SCRAM_ROLE}'`))[0]?.[
      'it'
    ] as string
  await query(database, `CREATE ROLE ${SCRAM_ROLE} LOGIN`)
  t.teardown(() => query(database, `DROP ROLE ${SCRAM_ROLE}`))
  const password = String.raw`it's "a" \ long pass$word`
  await query(database, setPasswordSql(SCRAM_ROLE, scramVerifier(password)))
  t.notMatch(await stored(), 'pass$word')
  t.ok(isVerifierOf(await stored(), password))
  t.notOk(isVerifierOf(await stored(), 'another'))
  t.notOk(isVerifierOf(null, password))
  t.throws(() => scramVerifier('pässword'), { code: 'TWR_CONFIG' })
  t.throws(() => scramVerifier(''), { code: 'TWR_CONFIG' })
  if (!(await startCluster()).own) return t.comment('the login itself needs a cluster of our own')
  const client = await database.client(SCRAM_ROLE, password)
  t.same((await client.query('SELECT current_user AS me')).rows, [{ me: SCRAM_ROLE }])
  await client.end()
  await t.rejects(database.client(SCRAM_ROLE, 'another'), { code: '28P01' })
})

t.test('the generated migration is the same text each time, and plain lines', async t => {
  const text = accessMigration(bundle)
  t.equal(accessMigration(await exampleBundle()), text)
  t.notMatch(text, /\r| \n/)
  t.match(text, /\n$/)
})
