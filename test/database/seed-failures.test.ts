import { cp, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import t from 'tap'
import { migrate } from '../../src/migrate/migrate.js'
import { createDatabase } from '../support/cluster.js'
import { DEMO, demoDatabase, exampleBundle, openContext } from '../support/example.js'
import { handMade } from './hand-made.js'

/** A system under the same question: one made by hand, and twinrule. */
interface System {
  /** A login of applications; `other` is a second connection of the same pool. */
  readonly app: pg.Client
  readonly other: pg.Client
  readonly owner: pg.Client
  /** Says for whom a connection works, in the way of the system. */
  readonly act: (client: pg.Client, user: string, tenant: string) => Promise<unknown>
  readonly softDelete: (id: string) => string
  readonly publish: (id: string) => string
  readonly grantAdmin: (user: string) => string
  readonly canAccess: (id: string) => string
  /** What the user of the connection is in his tenant. */
  readonly role: string
}

/** One of the failures: what goes wrong, null when nothing does. Everything is rolled back after it. */
interface Failure {
  readonly what: string
  readonly run: (system: System) => Promise<string | null>
}

const { ada, gus, root, acme, globex, platform } = DEMO
const OWN = DEMO.agent(1)
const GUSES = DEMO.agent(4)

/** The rows of a statement, or its SQLSTATE. */
async function ask(client: pg.Client, text: string): Promise<readonly Record<string, unknown>[] | string> {
  await client.query('SAVEPOINT ask')
  try {
    return (await client.query(text)).rows
  } catch (error) {
    await client.query('ROLLBACK TO ask')
    return String((error as { code?: string }).code)
  }
}

async function begin({ act }: System, client: pg.Client, user: string, tenant: string): Promise<void> {
  await client.query('BEGIN')
  await act(client, user, tenant)
}

const sees = (rows: Awaited<ReturnType<typeof ask>>, id: string): boolean => JSON.stringify(rows).includes(id)
const AGENTS = 'SELECT id FROM agents'
const planOf = (rows: Awaited<ReturnType<typeof ask>>) =>
  typeof rows === 'string' ? rows : rows.map(row => row['QUERY PLAN']).join('\n')

const FAILURES: readonly Failure[] = [
  {
    what: '1. the owner cannot soft-delete',
    run: async system => {
      await begin(system, system.app, ada, acme)
      const rows = await ask(system.app, system.softDelete(OWN))
      return typeof rows === 'string' ? rows : null
    }
  },
  {
    what: '2. the tenant outlives COMMIT',
    run: async system => {
      await begin(system, system.app, ada, acme)
      await system.app.query('COMMIT; BEGIN')
      return sees(await ask(system.app, AGENTS), OWN) ? 'the next user sees the row' : null
    }
  },
  {
    what: '3. anybody makes himself an administrator',
    run: async system => {
      await begin(system, system.app, gus, globex)
      const rows = await ask(system.app, system.grantAdmin(gus))
      return typeof rows === 'string' ? null : 'he is one'
    }
  },
  {
    what: '4. anybody names any tenant',
    run: async system => {
      await begin(system, system.app, gus, acme)
      return sees(await ask(system.app, AGENTS), OWN) ? 'he reads its rows' : null
    }
  },
  {
    what: '5. any tenant publishes to everybody, and as the platform',
    run: async system => {
      await begin(system, system.app, ada, acme)
      const published = await ask(system.app, system.publish(OWN))
      const made = await ask(
        system.app,
        `INSERT INTO agents (tenant_id, name, resource_type) VALUES ('${acme}', 'x', 'platform')`
      )
      return typeof published === 'string' && typeof made === 'string' ? null : 'it does'
    }
  },
  {
    what: '6. can_access_resource() says otherwise than the policies',
    run: async system => {
      await system.owner.query(`UPDATE agents SET deleted_at = now() WHERE id = '${OWN}'`)
      const differing: string[] = []
      for (const [user, tenant] of [
        [ada, acme],
        [gus, globex],
        [root, platform]
      ] as const) {
        await begin(system, system.app, user, tenant)
        const seen = await ask(system.app, AGENTS)
        for (const n of [1, 2, 3, 4] as const) {
          const rows = await ask(system.app, `SELECT ${system.canAccess(DEMO.agent(n))} AS may`)
          const may = typeof rows !== 'string' && rows[0]?.['may'] === true
          if (may !== sees(seen, DEMO.agent(n))) differing.push(`${user} ${n}`)
        }
        await system.app.query('ROLLBACK')
      }
      await system.owner.query(`UPDATE agents SET deleted_at = NULL WHERE id = '${OWN}'`)
      return differing[0] ?? null
    }
  },
  {
    what: '7. a role that is granted twice is there twice',
    run: async ({ owner }) => {
      await owner.query('BEGIN')
      const twice = `INSERT INTO user_roles (user_id, role) VALUES ('${gus}', 'x'), ('${gus}', 'x')`
      const rows = await ask(owner, twice)
      await owner.query('ROLLBACK')
      return typeof rows === 'string' ? null : 'two rows'
    }
  },
  {
    what: '8. one table has no policies, another nothing but row-level security',
    run: async system => {
      for (const table of ['agents', 'tools', 'prompts', 'workflows', 'rag_knowledge_sources']) {
        await system.owner.query(
          `INSERT INTO ${table} (tenant_id, name) VALUES ('${acme}', 'of acme'), ('${globex}', 'of globex')`
        )
        await begin(system, system.app, ada, acme)
        const rows = await ask(system.app, `SELECT name FROM ${table} WHERE name LIKE 'of %'`)
        await system.app.query('ROLLBACK')
        await system.owner.query(`DELETE FROM ${table} WHERE name LIKE 'of %'`)
        if (JSON.stringify(rows) !== '[{"name":"of acme"}]') return `${table}: ${JSON.stringify(rows)}`
      }
      return null
    }
  },
  {
    what: '9. the owner of a table is outside of its policies',
    run: async ({ owner }) => {
      await owner.query('BEGIN; CREATE ROLE seed_owner; GRANT USAGE ON SCHEMA public TO seed_owner')
      await ask(owner, 'GRANT USAGE ON SCHEMA twinrule TO seed_owner')
      await owner.query('ALTER TABLE agents OWNER TO seed_owner; SET LOCAL ROLE seed_owner')
      const rows = await ask(owner, AGENTS)
      await owner.query('ROLLBACK')
      return rows.length > 0 && typeof rows !== 'string' ? `he sees ${rows.length} rows` : null
    }
  },
  {
    what: '10. the tenant is set by one request, and the query comes with another',
    run: async system => {
      await begin(system, system.other, gus, globex)
      await system.other.query('COMMIT')
      await begin(system, system.app, ada, acme)
      await system.other.query('BEGIN')
      const rows = await ask(system.other, AGENTS)
      return sees(rows, GUSES) ? 'it reads the rows of whoever was there before' : null
    }
  },
  {
    what: '11. the index on shared_with serves nobody',
    run: async system => {
      await begin(system, system.app, gus, globex)
      await system.app.query('SET LOCAL enable_seqscan = off')
      const plan = planOf(await ask(system.app, `EXPLAIN (COSTS OFF) ${AGENTS}`))
      return plan.includes('agents_shared_with') ? null : plan
    }
  },
  {
    what: '12. functions of the context run once a row',
    run: async system => {
      await begin(system, system.app, gus, globex)
      const plan = planOf(await ask(system.app, `EXPLAIN (COSTS OFF, VERBOSE) ${AGENTS}`))
      const bare = plan.split('\n').find(line => /Filter|Cond/.test(line) && /\w\(\)/.test(line))
      return bare ?? null
    }
  },
  {
    what: '14. everybody reads whole tenants, and an administrator of one is one of all',
    run: async system => {
      await system.owner.query(
        `INSERT INTO user_tenants (user_id, tenant_id, role, status) VALUES ('${ada}', '${globex}', 'member', 'active')`
      )
      await begin(system, system.app, ada, globex)
      const tenants = await ask(system.app, 'SELECT * FROM tenants')
      const role = await ask(system.app, `SELECT ${system.role} AS role`)
      await system.app.query('ROLLBACK')
      await system.owner.query(
        `DELETE FROM user_tenants WHERE user_id = '${ada}' AND tenant_id = '${globex}'`
      )
      const isMember = JSON.stringify(role) === '[{"role":"member"}]'
      return tenants === '42501' && isMember ? null : JSON.stringify([tenants, role])
    }
  },
  {
    what: '15. whoever names no tenant is in that of the platform, as if it had been named',
    run: async ({ app }) => {
      await app.query('BEGIN')
      const rows = await ask(app, 'SELECT get_current_tenant_id() AS tenant')
      const ours = await ask(app, 'SELECT twinrule.get_current_tenant_id() AS tenant')
      return sees(rows, platform) || sees(ours, platform) ? 'the tenant of the platform' : null
    }
  }
]

async function failing(system: System): Promise<readonly string[]> {
  const failed: string[] = []
  for (const { what, run } of FAILURES) {
    const got = await run(system)
    for (const client of [system.app, system.other]) await client.query('ROLLBACK')
    if (got !== null) failed.push(what)
    for (const client of [system.app, system.other]) await client.query('DISCARD ALL')
  }
  return failed
}

t.test('the failures of a hand-made system fail there, and none of them here', async t => {
  const bundle = await exampleBundle()
  const database = await demoDatabase(t, bundle)
  const clients = [database.client('twinrule_app'), database.client('twinrule_app'), database.client()]
  const [app, other, owner] = (await Promise.all(clients)) as [pg.Client, pg.Client, pg.Client]
  const ours = await failing({
    app,
    other,
    owner,
    act: openContext,
    softDelete: id => `SELECT twinrule.soft_delete('agent', '${id}')`,
    publish: id => `SELECT twinrule.share_globally('agent', '${id}')`,
    grantAdmin: user => `SELECT twinrule.grant_platform_admin('${user}')`,
    canAccess: id => `twinrule.can_access_resource('agent', '${id}')`,
    role: 'twinrule.principal_tenant_role()'
  })
  t.same(ours, [])

  const hand = await createDatabase(t)
  const admin = await hand.client()
  const login = `seed_gateway_${hand.name}`
  await admin.query(handMade(login))
  const gateway = [hand.client(login), hand.client(login)]
  const [first, second] = (await Promise.all(gateway)) as [pg.Client, pg.Client]
  t.teardown(async () => {
    for (const client of [app, other, owner, first, second]) await client.end()
    await admin.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`)
    await admin.end()
  })
  const theirs = await failing({
    app: first,
    other: second,
    owner: admin,
    act: (client, user, tenant) => client.query('SELECT set_tenant_context($1, $2)', [user, tenant]),
    softDelete: id => `UPDATE agents SET deleted_at = now() WHERE id = '${id}'`,
    publish: id => `UPDATE agents SET is_shared = true, sharing_mode = 'global' WHERE id = '${id}'`,
    grantAdmin: user => `SELECT grant_platform_admin('${user}')`,
    canAccess: id => `can_access_resource('${id}')`,
    role: 'role_of_user()'
  })
  t.same(
    theirs,
    FAILURES.map(({ what }) => what)
  )
})

t.test('13. two migrations with one number are refused, one after the other they run', async t => {
  const [bundle, database] = [await exampleBundle(), await createDatabase(t)]
  const dir = t.testdir()
  await cp('migrations', dir, { recursive: true })
  await writeFile(join(dir, '0002_again.sql'), '-- Up Migration\n-- Down Migration\n')
  const options = { database: database.url(), bundle, migrationsDir: dir }
  await t.rejects(migrate(options), { code: 'TWR_CONFIG', message: /have the number 2/ })
  await rename(join(dir, '0002_again.sql'), join(dir, '0009_again.sql'))
  t.match((await migrate(options)).steps, [/0001/, /0002/, 'applied 0009_again', /access rules/])
})
