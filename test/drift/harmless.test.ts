import t from 'tap'
import { createDriftCheck } from '../../src/drift/check.js'
import { migrate } from '../../src/migrate/migrate.js'
import { bundleOf, EVERY_ATOM } from '../prove/policies.js'
import { createDatabase } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const MODELS = { maxModels: 20_000 }

/** What applications and operators do every day. */
const HARMLESS = [
  'ALTER TABLE agents ADD COLUMN notes text',
  'ALTER TABLE agents DROP COLUMN updated_at',
  "ALTER TABLE agents ALTER COLUMN name SET DEFAULT 'unnamed'",
  'CREATE INDEX agents_by_name ON agents (name)',
  "ALTER TABLE agents ADD CHECK (name <> '')",
  'CREATE TABLE invoices (id int PRIMARY KEY, total int)',
  'CREATE TABLE invoices (id int PRIMARY KEY); ALTER TABLE invoices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; GRANT SELECT ON invoices TO twinrule_app',
  'CREATE VIEW mine AS SELECT * FROM agents',
  "CREATE FUNCTION now_utc() RETURNS timestamp LANGUAGE sql AS 'SELECT now() AT TIME ZONE ''UTC'''",
  'CREATE SCHEMA reports; CREATE TABLE reports.daily (id int)',
  'CREATE ROLE reader LOGIN; CREATE ROLE readers; GRANT readers TO reader',
  "ALTER ROLE twinrule_app PASSWORD 'another'",
  "COMMENT ON TABLE agents IS 'who does the work'",
  'ALTER TABLE agents SET (autovacuum_vacuum_scale_factor = 0.1)',
  'ALTER TABLE agents ALTER COLUMN name SET STATISTICS 500',
  'DELETE FROM agents; INSERT INTO tenants (name, slug) VALUES (gen_random_uuid()::text, gen_random_uuid()::text)',
  'ALTER ROLE twinrule_app IN DATABASE postgres SET work_mem = 64',
  'CREATE EXTENSION IF NOT EXISTS plpgsql'
]

t.test('what is nothing of the policy is no drift', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const check = createDriftCheck(bundle, MODELS)
  for (const change of HARMLESS) {
    await owner.query('BEGIN')
    await owner.query(change)
    const { findings, notes } = await check(owner)
    await owner.query('ROLLBACK')
    t.same([findings.map(({ message }) => message), notes], [[], []], change)
  }
})

t.test('two databases of one cluster with different policies leave each other alone', async t => {
  const [first, second] = [await demoDatabase(t, bundle), await createDatabase(t)]
  const other = bundleOf(EVERY_ATOM)
  const clients = [await first.client(), await second.client()] as const
  t.teardown(() => Promise.all(clients.map(client => client.end())))
  await clients[1].query(`CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid, mode text, readers uuid[], done boolean);
    CREATE TABLE files (id uuid NOT NULL, mode text, role text);
    CREATE TABLE parts (id uuid NOT NULL, mode text, other_mode text, level int, size int NOT NULL, until timestamptz)`)
  await migrate({ database: clients[1], bundle: other })
  t.match(await createDriftCheck(bundle, MODELS)(clients[0]), { findings: [], notes: [] })
  t.match(await createDriftCheck(other, MODELS)(clients[1]), { findings: [], notes: [] })
  t.match(
    (await createDriftCheck(bundle, MODELS)(clients[1])).findings,
    [{ code: 'TWR_DRIFT_REVISION' }],
    'of another policy the record alone can tell, and it fits'
  )
})

t.test('a database that was never migrated is one finding', async t => {
  const database = await createDatabase(t)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const { findings } = await createDriftCheck(bundle, MODELS)(owner)
  t.match(findings, [{ code: 'TWR_DRIFT_REVISION', message: /holds no policies/ }])
  t.equal(findings.length, 1)
})

t.test('a record that another version of the server or of twinrule made', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const look = createDriftCheck(bundle, MODELS)
  const found = async () => (await look(owner)).findings.map(({ code, object }) => `${code} ${object}`)
  await owner.query(`UPDATE twinrule.state SET catalog = jsonb_set(
    replace(catalog::text, 'CREATE INDEX', 'CREATE  INDEX')::jsonb, '{server}', '14')`)
  t.same(await found(), [], 'what the other server printed is not compared')
  await owner.query('DROP INDEX tools_by_tenant; ALTER POLICY twinrule_tools_select ON tools USING (true)')
  t.same(await found(), [
    'TWR_DRIFT_POLICY twinrule_tools_select ON public.tools',
    'TWR_DRIFT_INDEX tools_by_tenant ON public.tools'
  ])
  await owner.query(`UPDATE twinrule.state SET catalog = jsonb_set(catalog, '{format}', '0')`)
  t.same(await found(), [
    'TWR_DRIFT_POLICY twinrule_tools_select ON public.tools',
    'TWR_DRIFT_RECORD twinrule.state'
  ])
})
