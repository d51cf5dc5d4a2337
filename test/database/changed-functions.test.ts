import type pg from 'pg'
import t from 'tap'
import { accessObjects } from '../../src/backends/sql/access.js'
import { recordCatalog } from '../../src/db/catalog/record.js'
import { migrate } from '../../src/migrate/migrate.js'
import { planSteps } from '../../src/migrate/plan.js'
import { type PlanObject, planObjects } from '../../src/migrate/plan-object.js'
import { openRecord, writeObjects } from '../../src/migrate/record.js'
import { createDatabase } from '../support/cluster.js'
import { acting, exampleBundle, TEST_KEY } from '../support/example.js'
import { securitySnapshot } from '../support/snapshot.js'

const bundle = await exampleBundle()
const now = planObjects(accessObjects(bundle))

/** What an earlier version generated, told by what was different in the text of a function. */
function earlier(name: string, ...changes: readonly (readonly [from: string, to: string])[]) {
  const objects = now.map((object): PlanObject => {
    if (object.kind !== 'function' || !object.name.includes(`."${name}"(`)) return object
    const change = (text: string) => {
      for (const [from, to] of changes) {
        if (object.up.includes(from)) text = text.replaceAll(from, to)
      }
      return text
    }
    return { ...object, name: change(object.name), up: change(object.up), down: change(object.down) }
  })
  if (JSON.stringify(objects) === JSON.stringify(now)) throw new Error(`nothing of ${name} has changed`)
  return objects
}

/** The list of all functions that there are, in which the earlier one is not. */
const LEFTOVERS = 'leftovers'

/** Each with the function that an earlier version had, some of them called by policies. */
const EARLIER: Readonly<Record<string, readonly PlanObject[]>> = {
  'another return type, called by policies': earlier('get_current_user_id', [
    'RETURNS uuid\n',
    'RETURNS text\n'
  ]),
  'one more parameter of an expression, called by policies': earlier(
    'claimed_tenant_id',
    ['claimed_tenant_id"()\n  RETURNS', 'claimed_tenant_id"("x" int DEFAULT 1)\n  RETURNS'],
    ['claimed_tenant_id"()', 'claimed_tenant_id"(int)']
  ),
  'other names of parameters': earlier('membership', ['"of_user"', '"the_user"']),
  'a default that is gone': earlier('has_tenant_access', [
    '"tenant_id" uuid)',
    '"tenant_id" uuid DEFAULT NULL)'
  ]),
  'one more parameter, called by policies': earlier(
    'context_tenant_id',
    ['context_tenant_id"()\n  RETURNS', 'context_tenant_id"("x" int DEFAULT 1)\n  RETURNS'],
    ['context_tenant_id"()', 'context_tenant_id"(int)']
  ),
  'another set of columns': earlier('get_tenant_by_slug', ['RETURNS TABLE (', 'RETURNS TABLE (old int, '])
}

/** Brings a database to what an earlier version would have left. */
async function plant(admin: pg.Client, objects: readonly PlanObject[]): Promise<void> {
  await admin.query(
    'BEGIN; SET LOCAL search_path = pg_catalog, public, pg_temp; SET LOCAL check_function_bodies = off'
  )
  await openRecord(admin)
  for (const { name, up } of objects) if (name !== LEFTOVERS) await admin.query(up)
  await writeObjects(admin, objects)
  await recordCatalog(admin, bundle)
  await admin.query(
    "UPDATE twinrule.state SET sql_sha256 = 'earlier'; INSERT INTO twinrule.migrations (name, run_on) VALUES ('9999_access', now()); COMMIT"
  )
}

t.test(
  'functions that CREATE OR REPLACE cannot change are dropped first, with what depends on them',
  async t => {
    const database = await createDatabase(t)
    const admin = await database.client()
    const app = await database.client('twinrule_app').catch(() => null)
    t.teardown(async () => {
      await admin.end()
      await app?.end()
    })
    const options = { database: database.url(), bundle, contextKey: TEST_KEY } as const
    await migrate({ ...options, demo: true })
    const end = await securitySnapshot(admin)
    for (const [what, objects] of Object.entries(EARLIER)) {
      await migrate({ ...options, direction: 'down' })
      const none = await securitySnapshot(admin)
      await plant(admin, objects)
      const planted = await securitySnapshot(admin)
      t.notSame(planted, end, what)
      t.match((await migrate(options)).steps, [/^applied the access rules/], what)
      t.same(await securitySnapshot(admin), end, `${what}: it ends where a first migration does`)
      t.same((await migrate(options)).steps, [], what)
      // and the same the other way round: a plan back to the earlier version
      await admin.query(
        'BEGIN; SET LOCAL search_path = pg_catalog, public, pg_temp; SET LOCAL check_function_bodies = off'
      )
      for (const { name, sql } of planSteps({ before: now, after: objects }))
        if (sql !== '' && name !== LEFTOVERS) await admin.query(sql)
      t.same(await securitySnapshot(admin), planted, `${what}: and the way back to where it was`)
      await admin.query('ROLLBACK')
      await migrate({ ...options, direction: 'down' })
      t.same(await securitySnapshot(admin), none, `${what}: down leaves nothing of either`)
      await migrate(options)
    }
    const client = await database.client('twinrule_app')
    t.teardown(() => client.end())
    const { rows } = await acting(client, 'ada', () => client.query('SELECT id FROM agents'))
    t.ok(rows.length > 0)
  }
)

t.test('a function of which only the body has changed is replaced, and nothing else is touched', async t => {
  const before = earlier('get_current_user_id', ['RETURN ', 'RETURN  '])
  const steps = planSteps({ before, after: now }).filter(({ cause }) => cause !== 'always')
  t.same(
    steps.map(({ kind, name, cause }) => `${kind} ${name} ${cause}`),
    ['grant callers of earlier revisions with', 'function "twinrule"."get_current_user_id"() changed']
  )
})

t.test('what somebody else made on such a function is in the way, and nothing is changed', async t => {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  const options = { database: database.url(), bundle } as const
  await migrate(options)
  await migrate({ ...options, direction: 'down' })
  await plant(admin, EARLIER['another set of columns'] ?? [])
  await admin.query("CREATE VIEW theirs AS SELECT old FROM twinrule.get_tenant_by_slug('acme')")
  const before = await securitySnapshot(admin)
  await t.rejects(migrate(options), {
    code: 'TWR_DB_MIGRATION',
    message:
      /^function "twinrule"."get_tenant_by_slug"\(text\) failed: cannot drop .* view theirs depends on/s
  })
  t.same(await securitySnapshot(admin), before)
})
