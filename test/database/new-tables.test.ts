import t from 'tap'
import { migrate } from '../../src/migrate/migrate.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const database = await demoDatabase(t, bundle)
const owner = await database.client()
t.teardown(() => owner.end())
const { rows: versions } = await owner.query("SELECT current_setting('server_version_num')::int AS n")
const server: number = versions[0].n
const MADE =
  'CREATE TABLE invoices (id int PRIMARY KEY, total int); CREATE SCHEMA reports; GRANT USAGE ON SCHEMA reports TO twinrule_app;'
const PROTECTED = 'ALTER TABLE invoices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;'

/** Runs statements in a transaction that is rolled back: null, or the error that they end in. */
async function refusal(...statements: readonly string[]): Promise<string | null> {
  await owner.query('BEGIN')
  try {
    for (const statement of statements) await owner.query(statement)
    return null
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code} ${message}`
  } finally {
    await owner.query('ROLLBACK')
  }
}

async function unprotected(...statements: readonly string[]) {
  await owner.query("BEGIN; SET LOCAL twinrule.allow_unprotected = 'on'")
  for (const statement of statements) await owner.query(statement)
  const { rows } = await owner.query('SELECT relation, roles FROM twinrule.unprotected()')
  await owner.query('ROLLBACK')
  return rows
}

/** Ways to open something that no policy manages, and what of it is open. */
const OPENINGS: readonly (readonly [string, string])[] = [
  ['GRANT SELECT ON invoices TO twinrule_app', 'public.invoices'],
  ['GRANT SELECT (id) ON invoices TO twinrule_app', 'public.invoices'],
  ['GRANT INSERT ON invoices TO authz_platform_admin', 'public.invoices'],
  ['GRANT SELECT ON invoices TO PUBLIC', 'public.invoices'],
  ['GRANT SELECT ON ALL TABLES IN SCHEMA public TO twinrule_app', 'public.invoices'],
  ["DO $$ BEGIN EXECUTE 'GRANT DELETE ON invoices TO twinrule_app'; END $$", 'public.invoices'],
  [
    `${PROTECTED} GRANT SELECT ON invoices TO twinrule_app; ALTER TABLE invoices DISABLE ROW LEVEL SECURITY`,
    'public.invoices'
  ],
  [
    `${PROTECTED} GRANT SELECT ON invoices TO twinrule_app; ALTER TABLE invoices NO FORCE ROW LEVEL SECURITY`,
    'public.invoices'
  ],
  [
    'CREATE VIEW everything AS SELECT * FROM agents; GRANT SELECT ON everything TO twinrule_app',
    'public.everything'
  ],
  [
    'CREATE MATERIALIZED VIEW kept AS SELECT * FROM agents; GRANT SELECT ON kept TO twinrule_app',
    'public.kept'
  ],
  [
    'CREATE TABLE reports."Daily x" (id int); GRANT SELECT ON reports."Daily x" TO twinrule_app',
    'reports."Daily x"'
  ],
  [
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO twinrule_app; CREATE TABLE later (id int)',
    'public.later'
  ],
  [
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO twinrule_app; CREATE TABLE copied AS SELECT * FROM agents',
    'public.copied'
  ]
]

t.test('what opens a new table to applications without row-level security is refused', async t => {
  t.same(await unprotected(), [])
  for (const [opening, relation] of OPENINGS) {
    const got = await refusal(MADE, opening)
    t.match(got, /^55000 .* is open to .* without row-level security$/, opening)
    t.ok(got?.includes(relation), got ?? opening)
    const [one] = (await unprotected(MADE, opening)).filter(row => row.relation === relation)
    t.ok(one?.roles.length > 0, `unprotected() lists ${relation}`)
  }
})

t.test('what opens nothing passes, and so does what is said to be meant', async t => {
  for (const harmless of [
    MADE,
    `${MADE} GRANT SELECT ON invoices TO twinrule_service`,
    `${MADE} ${PROTECTED} GRANT SELECT ON invoices TO twinrule_app`,
    `${MADE} CREATE VIEW mine WITH (security_invoker) AS SELECT * FROM agents; GRANT SELECT ON mine TO twinrule_app`,
    'ALTER TABLE agents ADD COLUMN notes text; GRANT UPDATE (notes) ON agents TO twinrule_app',
    `SET LOCAL twinrule.allow_unprotected = 'on'; ${MADE} GRANT SELECT ON invoices TO twinrule_app`
  ].filter(text => !text.includes('security_invoker') || server >= 150000)) {
    t.equal(await refusal(harmless), null, harmless)
  }
})

t.test('what was open before hinders nobody, and tables that relations lead to are known', async t => {
  await owner.query(`BEGIN; SET LOCAL twinrule.allow_unprotected = 'on'; CREATE TABLE countries (code text);
    GRANT SELECT ON countries TO twinrule_app; COMMIT`)
  t.equal(await refusal('CREATE TABLE another (id int)'), null)
  t.same(await unprotected(), [{ relation: 'public.countries', roles: ['twinrule_app'] }])
  await owner.query('DROP TABLE countries')
})

t.test('a login that is no superuser cannot open one either, and applications cannot ask', async t => {
  const role = `maker_${database.name}`
  await owner.query(`CREATE ROLE ${role}; GRANT CREATE, USAGE ON SCHEMA public TO ${role}`)
  t.teardown(() => owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
  const got = await refusal(
    `SET LOCAL ROLE ${role}`,
    'CREATE TABLE own (id int)',
    'GRANT SELECT ON own TO twinrule_app'
  )
  t.match(got, /public\.own is open to twinrule_app/)
  t.match(await refusal('SET LOCAL ROLE twinrule_app', 'SELECT * FROM twinrule.unprotected()'), /^42501/)
})

t.test('without the guard it is not refused, and it goes with the rest', async t => {
  await owner.query('ALTER EVENT TRIGGER twinrule_guard_new_tables DISABLE')
  t.equal(await refusal(MADE, 'GRANT SELECT ON invoices TO twinrule_app'), null)
  await owner.query('ALTER EVENT TRIGGER twinrule_guard_new_tables ENABLE')
  await migrate({ database: owner, bundle, direction: 'down' })
  t.same((await owner.query('SELECT evtname FROM pg_event_trigger')).rows, [])
})
