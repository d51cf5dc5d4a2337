import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { startService } from '../../src/cli/serve/service.js'
import { createJudge } from '../../src/drift/check.js'
import type { Judge } from '../../src/drift/look.js'
import { askVerified, createQuickCheck } from '../../src/drift/quick.js'
import { verifyDatabase } from '../../src/drift/verify.js'
import { capture } from '../support/capture.js'
import { createDatabase, type Database, TEST_PASSWORD } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { CHANGES } from './changes.js'

const bundle = await exampleBundle()
const VERSION = '1.2.3'
const unused: Judge = () => Promise.reject(new Error('it was compared'))

const clean = async (client: pg.Client, version = VERSION, policy = bundle) =>
  (await askVerified(client, policy, version))?.clean ?? null

/** What a change makes of it, which is then taken back. */
async function after(owner: pg.Client, change: string): Promise<boolean | null> {
  await owner.query('BEGIN')
  try {
    await owner.query(change)
    return await clean(owner)
  } finally {
    await owner.query('ROLLBACK')
  }
}

type Test = { teardown(after: () => Promise<void>): void }

async function verifiedDatabase(t: Test, on?: 'usual' | 'registry'): Promise<[Database, pg.Client]> {
  const database = await demoDatabase(t, bundle, on)
  const owner = await database.client()
  t.teardown(() => owner.end())
  t.teardown(async () => void (await owner.query('DROP ROLE IF EXISTS reporting')))
  await owner.query("SET twinrule.allow_unprotected = 'on'")
  await verifyDatabase(owner, bundle, { version: VERSION })
  return [database, owner]
}

/** What is nothing of the policy. */
const UNRELATED = [
  'CREATE TABLE invoices (id int PRIMARY KEY, total int)',
  'CREATE SCHEMA reports; CREATE TABLE reports.daily (id int); CREATE VIEW mine AS SELECT * FROM agents',
  "CREATE FUNCTION now_utc() RETURNS timestamp LANGUAGE sql AS 'SELECT now() AT TIME ZONE ''UTC'''",
  'CREATE ROLE reader LOGIN; CREATE ROLE readers; GRANT readers TO reader',
  "ALTER ROLE twinrule_app PASSWORD 'another'; COMMENT ON TABLE agents IS 'who does the work'",
  'ALTER TABLE agents SET (autovacuum_vacuum_scale_factor = 0.1)',
  'ALTER TABLE agents ALTER COLUMN name SET STATISTICS 500; ANALYZE agents',
  'DELETE FROM agents; INSERT INTO tenants (name, slug) VALUES (gen_random_uuid()::text, gen_random_uuid()::text)'
]

for (const server of ['usual', 'registry'] as const) {
  t.test(`every change that is drift is another fingerprint, on the ${server} server`, async t => {
    const [, owner] = await verifiedDatabase(t, server)
    await owner.query('CREATE ROLE reporting; CREATE TABLE everything (LIKE agents)')
    t.equal(await clean(owner), true)
    for (const [change] of CHANGES) t.not(await after(owner, change), true, change.slice(0, 90))
    t.equal(await clean(owner), true, 'and the old one when it is taken back')
    for (const change of UNRELATED) t.equal(await after(owner, change), true, change)
  })
}

t.test('the fingerprint depends on no number and no order of objects', async t => {
  const [database, owner] = await verifiedDatabase(t)
  const service = await database.client('twinrule_service')
  t.teardown(() => service.end())
  t.equal(await clean(service), true, 'nor on who asks')
  await service.query(
    "SET search_path = twinrule, public; SET quote_all_identifiers = on; SET timezone = 'Asia/Tokyo'"
  )
  t.equal(await clean(service), true, 'nor on settings')
  const dump = join('/usr/lib/postgresql', String(await majorOf(owner)), 'bin', 'pg_dump')
  if (!existsSync(dump)) return void t.pass('there is no pg_dump of this server here')
  const restored = await restore(t, database, [dump, '--create', '--inserts'])
  t.equal(await clean(restored), true, 'nor is it another one after dump and restore')
  await restored.query('REVOKE SELECT ON agents FROM twinrule_app')
  t.equal(await clean(restored), false)
})

/** A copy that pg_dump makes as text, behind tables that take the numbers of the first ones. */
async function restore(
  t: Test,
  from: Database,
  [dump = '', ...flags]: readonly string[]
): Promise<pg.Client> {
  const to = await createDatabase(t)
  const client = await to.client()
  t.teardown(() => client.end())
  await client.query(
    "SET twinrule.allow_unprotected = 'on'; CREATE TABLE first (id int); CREATE TABLE second (id int)"
  )
  const text = execFileSync(dump, [...flags, '--dbname', from.url()], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26
  })
  // the database is there already, and commands that start with a backslash are for psql
  const statements = text.replaceAll(/^(?:CREATE DATABASE .*|\\.*)$/gm, '').replaceAll(from.name, to.name)
  await client.query(statements)
  await client.query('RESET ALL')
  return client
}

async function majorOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query("SELECT current_setting('server_version_num')::int / 10000 AS major")
  return rows[0].major
}

t.test('what was verified by another version, or of another policy or server, does not count', async t => {
  const [, owner] = await verifiedDatabase(t)
  t.equal(await clean(owner, '1.2.4'), false, 'another version of twinrule')
  t.equal(await clean(owner, VERSION, { ...bundle, revision: 'f'.repeat(64) }), false, 'another revision')
  t.equal(await after(owner, 'UPDATE twinrule.verified SET server = server - 1'), false, 'another server')
  t.equal(await after(owner, 'DELETE FROM twinrule.verified'), false, 'no record')
  t.equal(await after(owner, 'DROP TABLE twinrule.verified'), null, 'an older database')
})

t.test('superusers alone write the record, and it does not count when others could', async t => {
  const [database, owner] = await verifiedDatabase(t)
  for (const role of ['twinrule_service', 'twinrule_app']) {
    const client = await database.client(role)
    t.teardown(() => client.end())
    for (const statement of [
      "UPDATE twinrule.verified SET version = 'mine'",
      'DELETE FROM twinrule.verified',
      'TRUNCATE twinrule.verified',
      "INSERT INTO twinrule.verified VALUES (true, '', '', 1, '', '')"
    ]) {
      await t.rejects(client.query(statement), { code: '42501' }, `${role}: ${statement}`)
    }
  }
  const forged = `UPDATE twinrule.verified SET catalog_sha256 = $1, record_sha256 = $2`
  const helper = `helper_${database.name}`
  await owner.query(`CREATE ROLE ${helper} NOINHERIT`)
  t.teardown(async () => void (await owner.query(`DROP ROLE ${helper}`)))
  for (const change of [
    'GRANT UPDATE ON twinrule.verified TO twinrule_app',
    'GRANT UPDATE (catalog_sha256) ON twinrule.verified TO twinrule_app',
    'GRANT INSERT, DELETE ON twinrule.verified TO PUBLIC',
    'GRANT TRIGGER ON twinrule.verified TO twinrule_app',
    'GRANT pg_write_all_data TO twinrule_app',
    `GRANT pg_write_all_data TO ${helper}`,
    'ALTER TABLE twinrule.verified OWNER TO twinrule_app'
  ]) {
    await owner.query('BEGIN')
    await owner.query(change)
    const print = await askVerified(owner, bundle, VERSION)
    await owner.query(forged, [print?.catalog, print?.record])
    t.equal(await clean(owner), false, change)
    await owner.query('ROLLBACK')
  }
  t.equal(await clean(owner), true)
})

t.test('the service compares nothing that was verified, and everything else completely', async t => {
  const [, owner] = await verifiedDatabase(t)
  t.same(await createQuickCheck(bundle, VERSION, unused)(owner), { findings: [] })
  await t.rejects(createQuickCheck(bundle, '1.2.4', unused)(owner), /it was compared/)
  let compared = 0
  const judge = createJudge(bundle, { maxModels: 0 })
  const check = createQuickCheck(bundle, VERSION, seen => {
    compared++
    return judge(seen)
  })
  await owner.query('DROP INDEX agents_by_tenant')
  for (const look of ['a first look', 'another one']) {
    t.match((await check(owner)).findings, [{ code: 'TWR_DRIFT_INDEX' }], look)
  }
  t.equal(compared, 1, 'the same again is not compared again')
  await owner.query('DROP TABLE twinrule.verified')
  for (const look of [2, 2]) {
    t.match((await check(owner)).findings, [{ object: 'twinrule.verified' }, { code: 'TWR_DRIFT_INDEX' }])
    t.equal(compared, look)
  }
})

t.test('twinrule migrate looks once, and the service starts on what it has found', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const migrate = async () => {
    const { io, err } = capture()
    t.equal(await run(['migrate', '--database', database.url()], io), 0, err())
    return err()
  }
  const verified = async () => (await owner.query('SELECT revision FROM twinrule.verified')).rows
  const start = async () => {
    const DATABASE_URL = database.url('twinrule_service', TEST_PASSWORD)
    const { io } = capture({ PORT: '0', LOG_LEVEL: 'silent', TWINRULE_API_KEYS: 'a-key', DATABASE_URL })
    const { close, address } = await startService({ policies: 'policies' }, io)
    const { status } = await fetch(`${address}/health/ready`)
    await close()
    return status
  }
  t.same(await verified(), [], 'the library leaves it to the command')
  t.equal(await start(), 200, 'without a record')
  t.notMatch(await migrate(), /warning/)
  t.same(await verified(), [{ revision: bundle.revision }], 'also when there is nothing to do')
  t.equal(await start(), 200)
  await owner.query('ALTER TABLE tools OWNER TO twinrule_facts')
  t.match(await migrate(), /^warning: public.tools belongs to twinrule_facts/m)
  t.same(await verified(), [], 'drift is not verified')
  await t.rejects(start(), { code: 'TWR_DB_DRIFT' })
})
