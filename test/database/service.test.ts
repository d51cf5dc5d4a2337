import type pg from 'pg'
import t from 'tap'
import { openEmbedded } from '../../src/db/embedded.js'
import { createFactsReader, type FactsQuery } from '../../src/db/facts.js'
import { guardLogin } from '../../src/db/guard.js'
import { createPool } from '../../src/db/pool.js'
import { migrate } from '../../src/migrate/migrate.js'
import { createDatabase, TEST_PASSWORD } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const other = { ...bundle, revision: 'f'.repeat(64) }

const ROOT_FACTS = {
  status: 'member',
  principal: {
    id: DEMO.root,
    tenant_id: DEMO.platform,
    tenant_type: 'platform',
    tenant_status: 'active',
    tenant_role: 'member',
    roles: ['platform_admin'],
    is_platform_admin: true
  }
} as const

const QUESTION: FactsQuery = {
  subjects: [
    { id: DEMO.root, tenantId: null },
    { id: DEMO.ada.toUpperCase(), tenantId: DEMO.acme.toUpperCase() },
    { id: DEMO.ada, tenantId: DEMO.globex },
    { id: DEMO.ada, tenantId: 'no uuid' },
    { id: DEMO.ada, tenantId: '' },
    { id: DEMO.agent(1), tenantId: null },
    { id: "x' OR true", tenantId: null },
    { id: 'a\0b', tenantId: 'a\0b' }
  ],
  resources: [
    { type: 'agent', id: DEMO.agent(2).toUpperCase() },
    { type: 'agent', id: '00000000-0000-0000-0002-0000000000ff' },
    { type: 'agent', id: "'; DROP TABLE agents --" },
    { type: 'tool', id: DEMO.agent(2) },
    { type: 'tenants', id: DEMO.acme },
    { type: 'agent', id: '\ud800' }
  ]
}

const ANSWER = {
  principals: [
    ROOT_FACTS,
    {
      status: 'member',
      principal: {
        id: DEMO.ada,
        tenant_id: DEMO.acme,
        tenant_type: 'client',
        tenant_status: 'active',
        tenant_role: 'owner',
        roles: ['tenant_owner'],
        is_platform_admin: false
      }
    },
    { status: 'not_a_member' },
    { status: 'not_a_member' },
    { status: 'not_a_member' },
    { status: 'unknown_subject' },
    { status: 'unknown_subject' },
    { status: 'unknown_subject' }
  ],
  rows: [
    {
      id: DEMO.agent(2),
      tenant_id: DEMO.acme,
      created_by_user_id: DEMO.ada,
      is_shared: true,
      sharing_mode: 'selective',
      shared_with: [DEMO.globex],
      resource_type: 'custom'
    },
    null,
    null,
    null,
    null,
    null
  ]
}

t.test('the facts of a batch come in one statement, in the order asked', async t => {
  const database = await demoDatabase(t, bundle)
  const facts = createFactsReader(createPool(database.url('twinrule_service')))
  t.teardown(() => facts.close())
  t.has(await facts.read(QUESTION, bundle.revision), ANSWER)
  t.same(await facts.read({ subjects: [], resources: [] }, bundle.revision), { principals: [], rows: [] })
  const root = { id: DEMO.root, tenantId: null }
  const ada = { id: DEMO.ada, tenantId: null }
  const again = await facts.read({ subjects: [ada, root, ada, ada], resources: [] }, bundle.revision)
  const users = again.principals.map(fact => (fact.status === 'member' ? fact.principal['id'] : fact.status))
  t.same(users, [DEMO.ada, DEMO.root, DEMO.ada, DEMO.ada], 'a subject that is asked for twice')
  await facts.ready(bundle.revision)
  await t.rejects(facts.ready(other.revision), { code: 'TWR_DB_NOT_MIGRATED', hint: /twinrule migrate/ })
  await t.rejects(facts.read(QUESTION, other.revision), {
    code: 'TWR_DB_NOT_MIGRATED',
    message: `the database holds revision ${bundle.revision.slice(0, 12)}, this policy is ffffffffffff`
  })
})

t.test('without a tenant the subject acts in the only or default one of the active', async t => {
  const database = await demoDatabase(t, bundle)
  const facts = createFactsReader(createPool(database.url('twinrule_service')))
  const owner = await database.client()
  t.teardown(async () => {
    await facts.close()
    await owner.end()
  })
  const chosen = async () => {
    const { principals } = await facts.read(
      { subjects: [{ id: DEMO.ada, tenantId: null }], resources: [] },
      bundle.revision
    )
    const [first] = principals
    return first?.status === 'member' ? first.principal['tenant_id'] : first?.status
  }
  await owner.query('INSERT INTO user_tenants (user_id, tenant_id) VALUES ($1, $2)', [DEMO.ada, DEMO.globex])
  t.equal(await chosen(), DEMO.acme, 'the default')
  await owner.query('UPDATE user_tenants SET is_default = false WHERE user_id = $1', [DEMO.ada])
  t.equal(await chosen(), 'several_tenants')
  await owner.query("UPDATE tenants SET status = 'suspended' WHERE id = $1", [DEMO.acme])
  t.equal(await chosen(), DEMO.globex, 'the only active one')
  await owner.query("UPDATE user_tenants SET status = 'invited' WHERE user_id = $1", [DEMO.ada])
  t.equal(await chosen(), 'no_tenant')
  await owner.query('DELETE FROM user_tenants WHERE user_id = $1', [DEMO.ada])
  t.equal(await chosen(), 'no_tenant', 'a role alone makes the subject known')
})

t.test('the login of the service reads nothing but facts', async t => {
  const database = await demoDatabase(t, bundle)
  const service = await database.client('twinrule_service')
  t.teardown(() => service.end())
  for (const statement of [
    'SELECT FROM agents',
    'SELECT FROM tenants',
    'SELECT FROM twinrule.state',
    `SELECT twinrule.set_tenant_context('${DEMO.root}', '${DEMO.platform}')`,
    `SELECT twinrule.grant_platform_admin('${DEMO.ada}')`,
    `SELECT twinrule.principal_facts('${DEMO.ada}', NULL)`,
    'SET ROLE twinrule_facts',
    'SET ROLE authz_platform_admin',
    'SET ROLE twinrule_app'
  ]) {
    await t.rejects(service.query(statement), { code: '42501' }, statement)
  }
})

t.test('the service refuses every login but its own, and a database of another revision', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const guard = async (role: string | undefined, what = bundle) => {
    const pool = createPool(database.url(role))
    try {
      await guardLogin(pool, what)
      return 'fine'
    } catch (error) {
      return `${(error as { code: string }).code} ${(error as Error).message}`
    } finally {
      await pool.end()
    }
  }
  t.equal(await guard('twinrule_service'), 'fine')
  t.match(await guard(undefined), /TWR_DB_UNSAFE_ROLE .* it is SUPERUSER/)
  t.match(await guard('twinrule_app'), /TWR_DB_UNSAFE_ROLE .*may not read the facts/)
  t.match(await guard('twinrule_service', other), /TWR_DB_NOT_MIGRATED the database holds revision/)
  const role = `login_${database.name}`
  await owner.query(`CREATE ROLE ${role} LOGIN NOINHERIT PASSWORD '${TEST_PASSWORD}'`)
  t.teardown(async () => {
    const admin = await database.client()
    await admin.query(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`)
    await admin.end()
  })
  for (const [make, unmake, expected] of [
    [`ALTER ROLE ${role} BYPASSRLS`, `ALTER ROLE ${role} NOBYPASSRLS`, /it is BYPASSRLS/],
    [`ALTER ROLE ${role} CREATEROLE`, `ALTER ROLE ${role} NOCREATEROLE`, /it is CREATEROLE/],
    [`GRANT twinrule_facts TO ${role}`, `REVOKE twinrule_facts FROM ${role}`, /it belongs to twinrule_facts/],
    [
      `GRANT twinrule_context TO ${role}`,
      `REVOKE twinrule_context FROM ${role}`,
      /it belongs to twinrule_context/
    ],
    [
      `GRANT pg_write_server_files TO ${role}`,
      `REVOKE pg_write_server_files FROM ${role}`,
      /pg_write_server_files/
    ],
    [
      `ALTER TABLE tools OWNER TO ${role}`,
      'ALTER TABLE tools OWNER TO CURRENT_USER',
      /act as the owner of tools/
    ],
    ['SELECT', 'SELECT', /may not read the facts/]
  ] as const) {
    await owner.query(make)
    t.match(await guard(role), expected, make)
    t.match(await guard(role), /^TWR_DB_UNSAFE_ROLE/)
    await owner.query(unmake)
  }
  await owner.query('ALTER TABLE prompts NO FORCE ROW LEVEL SECURITY')
  t.match(
    await guard('twinrule_service'),
    /TWR_DB_NOT_MIGRATED tables without forced row-level security: prompts/
  )
})

t.test('a database that was never migrated says which command to run', async t => {
  const database = await createDatabase(t)
  const role = `plain_${database.name}`
  const owner = await database.client()
  await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD '${TEST_PASSWORD}'`)
  t.teardown(async () => {
    await owner.query(`DROP ROLE ${role}`)
    await owner.end()
  })
  const pool = createPool(database.url(role))
  t.teardown(() => pool.end())
  await t.rejects(guardLogin(pool, bundle), { code: 'TWR_DB_NOT_MIGRATED', hint: /twinrule migrate/ })
})

t.test('a fault of the database rejects, and the pool recovers from it', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  const pool = createPool(database.url('twinrule_service'), { statementTimeoutMs: 300, size: 2 })
  const facts = createFactsReader(pool)
  t.teardown(async () => {
    await facts.close()
    await owner.end()
  })
  const ask = () =>
    facts.read(
      {
        subjects: [{ id: DEMO.root, tenantId: null }],
        resources: [{ type: 'agent', id: DEMO.agent(1) }]
      },
      bundle.revision
    )
  t.same((await ask()).principals, [ROOT_FACTS])
  await owner.query('BEGIN; LOCK TABLE agents IN ACCESS EXCLUSIVE MODE')
  await t.rejects(ask(), { code: /^TWR_DB_/ }, 'a locked table')
  await owner.query('ROLLBACK')
  t.same((await ask()).principals, [ROOT_FACTS])
  await owner.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'twinrule_service' AND datname = current_database()"
  )
  await ask().catch(() => {})
  t.same((await ask()).principals, [ROOT_FACTS], 'after its connections were killed')
  const nowhere = createFactsReader(createPool('postgres://twinrule_service@127.0.0.1:1/none'))
  await t.rejects(nowhere.read(QUESTION, bundle.revision), { code: 'TWR_DB_UNREACHABLE' })
  await nowhere.close()
})

t.test('the embedded database runs the same migrations and facts, as the login of the service', async t => {
  const dataDir = t.testdir()
  const reports: (readonly string[])[] = []
  const prepare = async (client: pg.ClientBase) => {
    reports.push((await migrate({ database: client, bundle, demo: true })).steps)
  }
  for (const expected of [4, 0]) {
    const embedded = await openEmbedded({ dataDir, prepare })
    try {
      t.equal(reports.at(-1)?.length, expected)
      await guardLogin(embedded.pool, bundle)
      const facts = createFactsReader(embedded.pool)
      t.has(await facts.read(QUESTION, bundle.revision), ANSWER)
      await facts.ready(bundle.revision)
      await t.rejects(embedded.pool.query('SELECT FROM agents'), { code: '42501' })
      await t.rejects(embedded.pool.query('SELECT nonsense'), { code: '42703' })
      t.has(await facts.read(QUESTION, bundle.revision), ANSWER, 'after a failed statement')
      const { rows } = await embedded.pool.query('SELECT current_user AS me, session_user AS login')
      t.same(rows, [{ me: 'twinrule_service', login: 'twinrule_service' }])
    } finally {
      await embedded.close()
    }
  }
})

t.test('the embedded database is not for production', async t => {
  const prepare = async () => {
    t.fail('it was opened')
  }
  await t.rejects(openEmbedded({ dataDir: null, prepare, env: { NODE_ENV: 'production' } }), {
    code: 'TWR_CONFIG_EMBEDDED',
    hint: /TWINRULE_ALLOW_EMBEDDED/
  })
})
