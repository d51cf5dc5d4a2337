import type pg from 'pg'
import t from 'tap'
import {
  acting,
  DECISION_TABLE,
  DEMO,
  demoDatabase,
  exampleBundle,
  HOME,
  openContext,
  type User
} from '../support/example.js'

const bundle = await exampleBundle()
const database = await demoDatabase(t, bundle)
const app = await database.client('twinrule_app')
const owner = await database.client()
t.teardown(async () => {
  await app.end()
  await owner.end()
})

const TABLES = ['agents', 'tools', 'prompts', 'workflows', 'rag_knowledge_sources']
const numbers = (rows: readonly { id: string }[]) => rows.map(({ id }) => Number(id.slice(-1))).sort()
const fails = (client: pg.ClientBase, text: string, values: readonly unknown[] = []) =>
  client.query(text, [...values]).then(
    () => null,
    (error: { code: string }) => error.code
  )

t.test('the decision table holds for SELECT, UPDATE and can_access_resource', async t => {
  for (const user of Object.keys(DECISION_TABLE) as User[]) {
    const expected = DECISION_TABLE[user]
    await acting(app, user, async () => {
      const seen = await app.query('SELECT id FROM agents')
      t.same(numbers(seen.rows), expected.read, `${user} sees`)
      const touched = await app.query('UPDATE agents SET name = name RETURNING id')
      t.same(numbers(touched.rows), expected.update, `${user} updates`)
      const removed = await app.query("SELECT id FROM agents WHERE twinrule.remove('agent', id)")
      t.same(numbers(removed.rows), expected.update, `${user} deletes`)
    })
    await acting(app, user, async () => {
      for (const action of ['read', 'update'] as const) {
        const open: number[] = []
        for (const n of [1, 2, 3, 4] as const) {
          const { rows } = await app.query('SELECT twinrule.can_access_resource($1, $2, $3) AS may', [
            'agent',
            DEMO.agent(n),
            action
          ])
          if (rows[0].may === true) open.push(n)
        }
        t.same(open, expected[action], `${user} can_access_resource ${action}`)
      }
    })
  }
})

t.test('failure 1: the owner can soft-delete a row that the policy for reading then hides', async t => {
  await acting(app, 'ada', async () => {
    const { rows } = await app.query("SELECT twinrule.soft_delete('agent', $1) AS done", [DEMO.agent(1)])
    t.same(rows, [{ done: true }])
    t.same(numbers((await app.query('SELECT id FROM agents')).rows), [2, 3])
  })
})

t.test('failure 2: the tenant context ends with its transaction, whether it commits or not', async t => {
  const visible = async () => (await app.query('SELECT id FROM agents')).rows.length
  for (const end of ['COMMIT', 'ROLLBACK']) {
    await app.query('BEGIN')
    await openContext(app, DEMO.ada, DEMO.acme)
    t.equal(await visible(), 3)
    await app.query(end)
    t.equal(await visible(), 0, `nothing is visible after ${end}`)
    const { rows } = await app.query('SELECT twinrule.get_current_tenant_id() AS tenant')
    t.equal(rows[0].tenant, null)
  }
})

t.test(
  'a context of anybody but an active member of an active tenant sees nothing, and is no error',
  async t => {
    const visibleWith = async (user: string, tenant: string) => {
      await app.query('BEGIN')
      const valid = await openContext(app, user, tenant)
      const { rows } = await app.query(
        'SELECT (SELECT count(*) FROM agents)::int AS rows, twinrule.is_platform_admin() AS admin'
      )
      await app.query('ROLLBACK')
      t.equal(rows[0].admin, false)
      t.equal(valid, rows[0].rows > 0)
      return rows[0].rows
    }
    t.equal(await visibleWith(DEMO.ada.toUpperCase(), DEMO.acme.toUpperCase()), 3)
    t.equal(await visibleWith(DEMO.ada, DEMO.globex), 0, 'no member')
    t.equal(await visibleWith(DEMO.root, DEMO.acme), 0, 'an admin outside of his tenant')
    for (const [table, change] of [
      ['tenants', "status = 'suspended' WHERE id"],
      ['tenants', 'deleted_at = now() WHERE id'],
      ['user_tenants', "status = 'suspended' WHERE tenant_id"]
    ] as const) {
      await owner.query(`UPDATE ${table} SET ${change} = '${DEMO.acme}'`)
      t.equal(await visibleWith(DEMO.ada, DEMO.acme), 0, change)
      await owner.query(`UPDATE tenants SET status = 'active', deleted_at = NULL WHERE id = '${DEMO.acme}'`)
      await owner.query(`UPDATE user_tenants SET status = 'active' WHERE tenant_id = '${DEMO.acme}'`)
    }
    t.equal(await visibleWith(DEMO.ada, DEMO.acme), 3)
  }
)

t.test('failure 3: only a platform admin makes platform admins', async t => {
  const grant = 'SELECT twinrule.grant_platform_admin($1) AS granted'
  for (const user of ['ada', 'gus'] as const) {
    await acting(app, user, async () =>
      t.equal(await fails(app, grant, [DEMO[user]]), '42501', `${user} may not call it`)
    )
    await acting(app, user, async () => {
      await app.query('SET LOCAL ROLE authz_platform_admin')
      t.equal(await fails(app, grant, [DEMO[user]]), '42501', `${user} gains nothing by entering the role`)
    })
    await acting(app, user, async () =>
      t.equal(
        await fails(app, `INSERT INTO user_roles (user_id, role) VALUES ($1, 'platform_admin')`, [
          DEMO[user]
        ]),
        '42501'
      )
    )
  }
  await acting(app, 'root', async () => {
    t.equal((await app.query(grant, [DEMO.ada])).rows[0].granted, true)
    t.equal((await app.query(grant, [DEMO.ada])).rows[0].granted, false)
    t.equal(
      (await app.query('SELECT twinrule.revoke_platform_admin($1) AS gone', [DEMO.ada])).rows[0].gone,
      true
    )
    t.equal(
      (await app.query('SELECT twinrule.revoke_platform_admin($1) AS gone', [DEMO.ada])).rows[0].gone,
      false
    )
  })
})

t.test('entering the role of the platform admin without being one shows and changes nothing', async t => {
  await acting(app, 'ada', async () => {
    await app.query('SET LOCAL ROLE authz_platform_admin')
    for (const table of TABLES) t.equal((await app.query(`SELECT FROM ${table}`)).rowCount, 0)
    t.equal((await app.query('UPDATE agents SET name = name')).rowCount, 0)
    const { rows } = await app.query("SELECT twinrule.remove('agent', $1) AS done", [DEMO.agent(1)])
    t.same(rows, [{ done: false }])
  })
})

t.test('failure 5: no tenant publishes its rows globally or as the platform', async t => {
  const row = { id: DEMO.agent(1), tenant: DEMO.acme }
  for (const change of [
    "is_shared = true, sharing_mode = 'global'",
    "sharing_mode = 'global'",
    "resource_type = 'platform'"
  ]) {
    await acting(app, 'ada', async () =>
      t.equal(await fails(app, `UPDATE agents SET ${change} WHERE id = $1`, [row.id]), '42501', change)
    )
  }
  const insert = 'INSERT INTO agents (tenant_id, name, sharing_mode, resource_type) VALUES ($1, $2, $3, $4)'
  for (const values of [
    [row.tenant, 'x', 'global', 'custom'],
    [row.tenant, 'x', 'private', 'platform'],
    [DEMO.globex, 'x', 'private', 'custom']
  ]) {
    await acting(app, 'ada', async () => t.equal(await fails(app, insert, values), '42501', values.join()))
  }
  await acting(app, 'ada', async () =>
    t.equal(await fails(app, insert, [row.tenant, 'x', 'selective', 'custom']), null)
  )
  await acting(app, 'ada', async () =>
    t.equal(
      await fails(app, 'UPDATE agents SET tenant_id = $1 WHERE id = $2', [DEMO.globex, row.id]),
      '42501',
      'a move'
    )
  )
  await acting(app, 'root', async () =>
    t.equal(await fails(app, insert, [row.tenant, 'x', 'global', 'platform']), null)
  )
})

t.test(
  'failure 6: can_access_resource and the policies agree on every row, nulls, admins and deleted rows',
  async t => {
    await owner.query('UPDATE agents SET deleted_at = now(), created_by_user_id = NULL WHERE id = $1', [
      DEMO.agent(2)
    ])
    for (const user of Object.keys(HOME) as User[]) {
      await acting(app, user, async () => {
        for (const { name, table } of bundle.resources) {
          const { rows } = await owner.query(`SELECT id FROM ${table}`)
          const seen = new Set((await app.query(`SELECT id FROM ${table}`)).rows.map(({ id }) => id))
          for (const { id } of rows) {
            const { rows: may } = await app.query('SELECT twinrule.can_access_resource($1, $2) AS read', [
              name,
              id
            ])
            t.equal(may[0].read, seen.has(id), `${user} ${name} ${id}`)
          }
        }
        const odd = await app.query(
          `SELECT twinrule.can_access_resource('nothing', $1) AS type, twinrule.can_access_resource('agent', $1, 'share') AS action,
           twinrule.can_access_resource('agent', NULL) AS id, twinrule.can_access_resource(NULL, $1, NULL) AS nothing`,
          [DEMO.agent(3)]
        )
        t.same(odd.rows, [{ type: false, action: false, id: false, nothing: false }])
      })
    }
    await owner.query('UPDATE agents SET deleted_at = NULL WHERE id = $1', [DEMO.agent(2)])
  }
)

t.test('failure 7: a role without a tenant is held once, however often it is granted', async t => {
  const again = `INSERT INTO user_roles (user_id, role, tenant_id) VALUES ('${DEMO.root}', 'platform_admin', NULL)`
  t.equal(await fails(owner, again), '23505')
  await acting(app, 'root', async () => {
    await app.query('SELECT twinrule.grant_platform_admin($1)', [DEMO.root])
    await app.query('SELECT twinrule.grant_platform_admin($1)', [DEMO.root])
  })
  const { rows } = await owner.query('SELECT count(*)::int AS n FROM user_roles WHERE user_id = $1', [
    DEMO.root
  ])
  t.equal(rows[0].n, 1)
})

t.test(
  'failure 8: each of the five tables has its columns, forced row-level security and policies',
  async t => {
    const { rows } = await owner.query(
      `SELECT c.relname AS table, c.relrowsecurity AND c.relforcerowsecurity AS forced,
       (SELECT count(*)::int FROM pg_policy AS p WHERE p.polrelid = c.oid) AS policies,
       (SELECT count(*)::int FROM pg_attribute AS a WHERE a.attrelid = c.oid AND attname IN
         ('tenant_id', 'created_by_user_id', 'is_shared', 'sharing_mode', 'shared_with', 'resource_type', 'deleted_at')) AS columns
     FROM pg_class AS c WHERE c.relname = ANY ($1) ORDER BY 1`,
      [TABLES]
    )
    t.same(
      rows,
      [...TABLES].sort().map(table => ({ table, forced: true, policies: 14, columns: 7 })),
      'four policies for the app, four for the admin, one for lists, one for the facts, four for the functions that write'
    )
  }
)

t.test(
  'failure 9: the owner of a table is under its policies, and the role that applications use has them',
  async t => {
    const role = `twinrule_owner_${database.name}`
    await owner.query(`CREATE ROLE ${role} NOLOGIN`)
    t.teardown(() => owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    await owner.query('BEGIN')
    await owner.query(`ALTER TABLE agents OWNER TO ${role}`)
    await owner.query(`GRANT USAGE ON SCHEMA twinrule TO ${role}`)
    await owner.query(`SET LOCAL ROLE ${role}`)
    const { rows } = await owner.query('SELECT count(*)::int AS n FROM agents')
    await owner.query('ROLLBACK')
    t.equal(rows[0].n, 0)
    const { rows: roles } = await owner.query(
      `SELECT rolcanlogin, rolinherit, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'twinrule_app'`
    )
    t.same(roles, [{ rolcanlogin: true, rolinherit: false, rolsuper: false, rolbypassrls: false }])
  }
)

t.test('failure 11: the index on shared_with serves the policy', async t => {
  await acting(app, 'gus', async () => {
    await app.query('SET LOCAL enable_seqscan = off')
    const { rows } = await app.query('EXPLAIN (COSTS OFF) SELECT id FROM agents')
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    t.match(plan, /Bitmap Index Scan on agents_shared_with/)
    t.match(plan, /shared_with @> /)
  })
})

t.test('failure 12: the context is read once a statement, not once a row', async t => {
  await acting(app, 'gus', async () => {
    const { rows } = await app.query('EXPLAIN (COSTS OFF, VERBOSE) SELECT id FROM agents')
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    t.match(plan, /InitPlan/)
    const bare = plan.split('\n').filter(line => /Filter|Cond/.test(line) && /twinrule\.\w+\(/.test(line))
    t.same(bare, [], 'no filter calls a function of the context')
  })
})

t.test('nobody reads or writes the tenancy tables directly', async t => {
  for (const table of ['tenants', 'user_tenants', 'user_roles']) {
    for (const statement of [`SELECT FROM ${table}`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
      await acting(app, 'root', async () => t.equal(await fails(app, statement), '42501', statement))
    }
  }
  for (const hidden of [
    'membership(NULL, NULL)',
    'verified_context()',
    "principal_facts('', '')",
    "resource_facts('', '')"
  ]) {
    t.equal(await fails(app, `SELECT twinrule.${hidden}`), '42501', hidden)
  }
  t.equal(await fails(app, 'TRUNCATE agents'), '42501')
  t.equal(await fails(app, 'CREATE TABLE public.x ()'), '42501')
  t.equal(await fails(app, 'CREATE FUNCTION twinrule.x() RETURNS int RETURN 1'), '42501')
})

t.test('tenants are looked up by slug and domain, and their names are for members', async t => {
  const lookUp = async (text: string) => (await app.query(`SELECT * FROM twinrule.${text}`)).rows
  t.same(await lookUp("get_tenant_by_slug('ACME')"), [{ id: DEMO.acme, name: null, slug: null, type: null }])
  await acting(app, 'ada', async () => {
    const acme = { id: DEMO.acme, name: 'Acme', slug: 'acme', type: 'client' }
    t.same(await lookUp("get_tenant_by_slug('acme')"), [acme])
    t.same(await lookUp("get_tenant_by_domain('Acme.Example')"), [acme])
    t.same(await lookUp("get_tenant_by_domain('globex.example')"), [
      { id: DEMO.globex, name: null, slug: null, type: null }
    ])
    t.same(await lookUp("get_tenant_by_slug('nobody')"), [])
    t.same(await lookUp('get_user_tenant_ids()'), [{ get_user_tenant_ids: DEMO.acme }])
    t.same(await lookUp(`has_tenant_access('${DEMO.acme}')`), [{ has_tenant_access: true }])
    t.same(await lookUp(`has_tenant_access('${DEMO.globex}')`), [{ has_tenant_access: false }])
    t.same(await lookUp('get_super_admin_tenant_id()'), [{ get_super_admin_tenant_id: DEMO.platform }])
  })
  await acting(app, 'root', async () => {
    t.same(await lookUp(`has_tenant_access('${DEMO.globex}')`), [{ has_tenant_access: true }])
    t.same(await lookUp(`has_tenant_access('${DEMO.agent(1)}')`), [{ has_tenant_access: false }])
  })
})

t.test('members are assigned by the owners and admins of their tenant', async t => {
  const assign = 'SELECT twinrule.assign_user_to_tenant($1, $2, $3)'
  const held = async (user: string, tenant: string) =>
    (await owner.query('SELECT role FROM user_tenants WHERE user_id = $1 AND tenant_id = $2', [user, tenant]))
      .rows[0]?.role
  await acting(app, 'gus', async () =>
    t.equal(await fails(app, assign, [DEMO.gus, DEMO.globex, 'owner']), '42501')
  )
  await acting(app, 'ada', async () =>
    t.equal(await fails(app, assign, [DEMO.ada, DEMO.globex, 'member']), '42501')
  )
  t.equal(await fails(app, assign, [DEMO.ada, DEMO.acme, 'owner']), '42501', 'without a context')
  const asUser = async (user: User, ...values: string[]) => {
    await app.query('BEGIN')
    await openContext(app, DEMO[user], HOME[user])
    const code = await fails(app, assign, values)
    await app.query('COMMIT')
    return code
  }
  await owner.query('UPDATE user_tenants SET is_default = false WHERE user_id = $1', [DEMO.ivy])
  t.equal(await asUser('ada', DEMO.ivy, DEMO.acme, 'admin'), null)
  t.equal(await asUser('ada', DEMO.ivy, DEMO.acme, 'admin'), null, 'a second time')
  t.equal(await held(DEMO.ivy, DEMO.acme), 'admin')
  const { rows } = await owner.query('SELECT tenant_id FROM user_tenants WHERE user_id = $1 AND is_default', [
    DEMO.ivy
  ])
  t.same(rows, [{ tenant_id: DEMO.initech }], 'her first tenant stays the one she acts in')
  await app.query('BEGIN')
  await openContext(app, DEMO.ivy, DEMO.acme)
  t.equal(await fails(app, assign, [DEMO.ivy, DEMO.acme, 'owner']), '42501', 'an admin makes no owner')
  await app.query('ROLLBACK')
  t.equal(await asUser('ada', DEMO.ivy, DEMO.acme, 'king'), '23514')
  await owner.query('DELETE FROM user_tenants WHERE user_id = $1 AND tenant_id = $2', [DEMO.ivy, DEMO.acme])
})
