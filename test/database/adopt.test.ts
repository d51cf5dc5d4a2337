import pg from 'pg'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { migrate } from '../../src/migrate/migrate.js'
import { capture } from '../support/capture.js'
import { createDatabase, type Database, startCluster } from '../support/cluster.js'
import { acting, DEMO, exampleBundle, TEST_KEY } from '../support/example.js'
import { handMade } from '../support/hand-made.js'
import { securitySnapshot } from '../support/snapshot.js'

const bundle = await exampleBundle()
const ALL = Number.POSITIVE_INFINITY
const TABLES = ['agents', 'tenants', 'tools', 'user_roles', 'user_tenants', 'workflows']
const FOREIGN = [
  'agents: admin (ALL to PUBLIC) USING (is_admin())',
  'agents: isolation (ALL to PUBLIC) USING ((tenant_id = get_tenant())) WITH CHECK ((tenant_id = get_tenant()))',
  'agents: not deleted (restrictive, SELECT to PUBLIC) USING ((deleted_at IS NULL))',
  'agents: shared (SELECT to GATEWAY) USING ',
  'tenants: signed in may read (SELECT to PUBLIC) USING ((get_tenant() IS NOT NULL))',
  'tools: insertion (INSERT to PUBLIC) WITH CHECK ((tenant_id = get_tenant()))',
  'tools: isolation (ALL to PUBLIC) USING ((tenant_id IN ( SELECT tenants.id FROM tenants WHERE (tenants.id = get_tenant()))))'
]
type Test = Parameters<typeof createDatabase>[0]

async function handMadeDatabase(t: Test): Promise<{ database: Database; admin: pg.Client; gateway: string }> {
  const database = await createDatabase(t)
  const gateway = `gateway_${database.name}`
  const admin = await database.client()
  t.teardown(async () => {
    await admin.end()
    await database.drop()
    const client = new pg.Client((await startCluster()).adminUrl)
    await client.connect()
    await client.query(`DROP ROLE ${gateway}`)
    await client.end()
  })
  await admin.query(handMade(gateway))
  return { database, admin, gateway }
}

/** The rows as they were made, whatever columns there are now. Roles that were granted twice are one afterwards. */
async function rows(admin: pg.Client): Promise<unknown[]> {
  const { rows: all } = await admin.query(
    `SELECT 'agents' AS of, jsonb_build_array(id, tenant_id, name, is_shared, sharing_mode, shared_with, resource_type, prompt, deleted_at) AS row FROM agents
     UNION ALL SELECT 'tools', jsonb_build_array(id, tenant_id, name, is_shared, sharing_mode, shared_with, resource_type, prompt, deleted_at) FROM tools
     UNION ALL SELECT 'workflows', jsonb_build_array(id, name, steps) FROM workflows
     UNION ALL SELECT 'tenants', jsonb_build_array(id, name, slug, domain, type, status, billing_email) FROM tenants WHERE id <> '${DEMO.platform}'
     UNION ALL SELECT 'user_tenants', jsonb_build_array(user_id, tenant_id, role, status) FROM user_tenants
     UNION ALL SELECT DISTINCT 'user_roles', jsonb_build_array(user_id, role, tenant_id) FROM user_roles ORDER BY 1, 2`
  )
  return all
}

/** What twinrule has to give back: policies with their comments, row-level security, grants, triggers. */
async function security(admin: pg.Client): Promise<readonly string[]> {
  const { rows: comments } = await admin.query<{ line: string }>(
    `SELECT concat_ws(' ', 'comment', polname, obj_description(oid, 'pg_policy')) AS line FROM pg_policy ORDER BY 1`
  )
  const lines = await securitySnapshot(admin, TABLES)
  // the numbered migrations have their own way down, and what they make of columns and indexes stays
  const own = lines.filter(line => /^(policy|table|grant|trigger) /.test(line))
  return [...own, ...comments.map(({ line }) => line)]
}

t.test('policies of others are listed, and nothing is done without --adopt', async t => {
  const { database, admin, gateway } = await handMadeDatabase(t)
  const [before, data] = [await security(admin), await rows(admin)]
  const error = await migrate({ database: database.url(), bundle }).then(
    () => t.fail('it was not refused'),
    (refused: Error) => refused
  )
  t.match(error, { code: 'TWR_DB_MIGRATION', hint: /--adopt/ })
  const [, ...listed] = String((error as Error).message).split('\n  ')
  t.equal(listed.length, FOREIGN.length)
  for (const [i, line] of FOREIGN.entries()) {
    t.ok(listed[i]?.startsWith(line.replace('GATEWAY', gateway)), `${listed[i]}`)
  }
  t.same(await security(admin), before)
  t.same(await rows(admin), data)
})

t.test('adopted, every row stays, the rules hold, and the way down brings everything back', async t => {
  const { database, admin, gateway } = await handMadeDatabase(t)
  const [before, data] = [await security(admin), await rows(admin)]
  const lines: string[] = []
  const { steps } = await migrate({
    database: database.url(),
    bundle,
    adopt: true,
    contextKey: TEST_KEY,
    log: line => lines.push(line)
  })
  t.equal(steps.filter(step => step.startsWith('adopted ')).length, FOREIGN.length)
  t.same(
    lines.filter(line => line.startsWith('warning: ')),
    [
      `warning: ${gateway} keeps its rights on agents, tenants, tools, workflows and sees no row there any more`,
      'warning: PUBLIC loses its rights on agents, tools'
    ]
  )
  t.same(await rows(admin), data)
  t.same((await migrate({ database: database.url(), bundle })).steps, [])
  const app = await database.client('twinrule_app')
  t.teardown(() => app.end())
  const seen = await acting(
    app,
    'gus',
    async () => (await app.query('SELECT name FROM agents ORDER BY name')).rows
  )
  t.same(
    seen.map(({ name }) => Number(name.slice(6))).sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 7, 8, 9, 10, 11],
    'his own, the global ones, and those that are shared with him'
  )
  const down = await migrate({ database: database.url(), bundle, direction: 'down', count: ALL })
  t.match(down.steps, ['removed the access rules', 'undid 0002_resources', 'undid 0001_tenancy'])
  t.same(await security(admin), before)
  t.same(await rows(admin), data)
  t.same(
    (
      await admin.query(
        `SELECT relname FROM pg_class WHERE relnamespace = 'twinrule'::regnamespace AND relkind = 'r'`
      )
    ).rows,
    [{ relname: 'migrations' }]
  )
  await migrate({ database: database.url(), bundle, adopt: true })
  t.same(await rows(admin), data, 'and once more')
})

t.test('the plan shows what is adopted, and leads there and back by hand', async t => {
  const { database, admin } = await handMadeDatabase(t)
  const twinrule = async (...argv: string[]) => {
    const { io, out, err } = capture()
    return { code: await run(['migrate', ...argv, '--database', database.url()], io), out: out(), err: err() }
  }
  const [before, data] = [await security(admin), await rows(admin)]
  const warned = await twinrule('plan')
  t.match(warned, {
    code: 1,
    err: /^in the way, made by others: agents: admin .*a migration is refused unless it has --adopt/s
  })
  t.notMatch(warned.out, /DROP POLICY "isolation"/)
  t.notMatch(warned.out, /so the table is closed/, 'on the way down no table stays closed')
  const plan = await twinrule('plan', '--adopt')
  t.match(plan.err, /^7 policies adopted, 2 migrations, \d+ objects, \d+ index/)
  const [up = '', down = ''] = plan.out.split(/^-- Down: .*$/m)
  for (const part of up.split(/^(?=-- index )/m)) await admin.query(part)
  t.same(await rows(admin), data)
  t.same(
    (await security(admin)).filter(line => line.includes('isolation')),
    []
  )
  for (const part of down.split(/^(?=-- index )/m)) await admin.query(part)
  t.same(await security(admin), before)
  t.match(await twinrule('down', '--adopt'), { code: 2, err: /--adopt goes with `up`/ })
})

t.test('a policy that comes later is adopted too, and one that cannot come back is named', async t => {
  const { database, admin } = await handMadeDatabase(t)
  await migrate({ database: database.url(), bundle, adopt: true })
  await admin.query('CREATE POLICY later ON prompts USING (false)')
  await t.rejects(migrate({ database: database.url(), bundle }), { message: /prompts: later/ })
  t.match((await migrate({ database: database.url(), bundle, adopt: true })).steps, [
    /^adopted prompts: later/
  ])
  t.same((await migrate({ database: database.url(), bundle })).steps, [])
  await admin.query('DROP FUNCTION is_admin()')
  const before = await security(admin)
  await t.rejects(migrate({ database: database.url(), bundle, direction: 'down' }), {
    code: 'TWR_DB_MIGRATION',
    message: /^the adopted policy admin on agents failed: function is_admin\(\) does not exist/,
    hint: /twinrule.adopted_policies/
  })
  t.same(await security(admin), before, 'and nothing has changed')
  await admin.query("DELETE FROM twinrule.adopted_policies WHERE policy_name = 'admin'")
  t.match((await migrate({ database: database.url(), bundle, direction: 'down' })).steps, [
    'removed the access rules'
  ])
  const { rows: found } = await admin.query(
    `SELECT polname FROM pg_policy WHERE polname IN ('later', 'shared', 'admin') ORDER BY 1`
  )
  t.same(found, [{ polname: 'later' }, { polname: 'shared' }])
})

t.test('a column that a policy reads is converted all the same', async t => {
  const database = await createDatabase(t)
  const admin = await database.client()
  t.teardown(() => admin.end())
  await admin.query(`CREATE TABLE agents (id uuid PRIMARY KEY, tenant_id text, name text);
    ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON agents USING (tenant_id = current_setting('app.tenant', true));
    INSERT INTO agents VALUES ('${DEMO.agent(1)}', '${DEMO.platform}', 'one')`)
  await migrate({ database: database.url(), bundle, adopt: true })
  t.same((await admin.query('SELECT tenant_id, name FROM agents')).rows, [
    { tenant_id: DEMO.platform, name: 'one' }
  ])
  await t.rejects(migrate({ database: database.url(), bundle, direction: 'down' }), {
    message: /^the adopted policy own on agents failed: operator does not exist: uuid = text/
  })
})
