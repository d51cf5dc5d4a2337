import t from 'tap'
import { readCatalog } from '../../src/db/catalog/read.js'
import { catalogIsAsRecorded, readRecord } from '../../src/db/catalog/record.js'
import { catalogScope } from '../../src/db/catalog/scope.js'
import { createPool } from '../../src/db/pool.js'
import { migrate } from '../../src/migrate/migrate.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const scope = catalogScope(bundle)

t.test('the snapshot is the same for every login, and what the migration wrote down', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  const pool = createPool(database.url('twinrule_service'))
  t.teardown(() => Promise.all([owner.end(), pool.end()]))
  const catalog = await readCatalog(pool, scope)
  t.ok(catalog.items.length > 200, `${catalog.items.length} objects`)
  t.same((await readRecord(pool)).catalog, catalog)
  await owner.query(
    "SET search_path = twinrule, public; SET quote_all_identifiers = on; SET timezone = 'Asia/Tokyo'; SET datestyle = 'SQL, DMY'"
  )
  t.same(await readCatalog(owner, scope), catalog, 'whatever the session has set')
  t.same(await readCatalog(await database.client('twinrule_app').then(close(t)), scope), catalog)
  const { rows } = await owner.query("SELECT current_setting('search_path') AS path")
  t.same(rows, [{ path: 'twinrule, public' }], 'its settings end with it')
})

t.test('every kind of object is in it, and two objects are never called alike', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = close(t)(await database.client())
  await owner.query("SET twinrule.allow_unprotected = 'on'")
  await owner.query(`
    CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.agents';
    CREATE TABLE notes (id int); GRANT SELECT (id) ON notes TO twinrule_app;
    CREATE VIEW all_agents AS SELECT * FROM agents; GRANT SELECT ON all_agents TO twinrule_app;
    CREATE VIEW own_agents WITH (security_invoker = on) AS SELECT * FROM agents; GRANT SELECT ON own_agents TO twinrule_app;
    CREATE RULE quiet AS ON DELETE TO tools DO INSTEAD NOTHING;
    CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION noted()`)
  const { items, server } = await readCatalog(owner, scope)
  const kinds = new Set(items.map(({ kind }) => kind))
  t.same(kinds.size, 17, [...kinds].join())
  t.equal(new Set(items.map(({ kind, name }) => `${kind} ${name}`)).size, items.length)
  const open = items.filter(({ kind }) => kind.startsWith('open')).map(({ name }) => name)
  // views of before 15 cannot run as their caller
  t.same(
    open.filter(name => server >= 15 || name !== 'public.own_agents'),
    ['public.peek()', 'public.all_agents', 'public.notes']
  )
})

t.test('a change by hand is no longer what was written down, until the next migration', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = close(t)(await database.client())
  const asRecorded = async () => {
    await owner.query('BEGIN')
    const answer = await catalogIsAsRecorded(owner, bundle)
    await owner.query('COMMIT')
    return answer
  }
  t.equal(await asRecorded(), true)
  await owner.query('ALTER ROLE twinrule_app IN DATABASE postgres SET statement_timeout = 1')
  t.equal(await asRecorded(), true, 'what another database has is its own')
  await owner.query('ALTER ROLE twinrule_app IN DATABASE postgres RESET statement_timeout')
  await owner.query('ALTER FUNCTION twinrule.get_current_tenant_id() SECURITY INVOKER')
  t.equal(await asRecorded(), false)
  t.equal((await migrate({ database: owner, bundle })).steps.length, 1)
  t.equal(await asRecorded(), true)
  t.same((await migrate({ database: owner, bundle })).steps, [])
  await owner.query('ALTER TABLE twinrule.state DROP COLUMN catalog')
  t.equal((await migrate({ database: owner, bundle })).steps.length, 1, 'as an earlier version left it')
  t.equal(await asRecorded(), true)
})

/** A client that is closed with the test. */
function close(t: { teardown(after: () => Promise<void>): void }) {
  return <T extends { end(): Promise<void> }>(client: T): T => {
    t.teardown(() => client.end())
    return client
  }
}
