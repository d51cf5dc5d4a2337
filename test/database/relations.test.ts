import { readFileSync } from 'node:fs'
import pg from 'pg'
import t from 'tap'
import { createFactsReader } from '../../src/db/facts.js'
import { createEngine } from '../../src/engine/engine.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder } from '../../src/policy/load.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { acting, DEMO, demoDatabase, exampleBundle, HOME, type User } from '../support/example.js'

const { bundle } = await loadFolder('examples/collaboration/policies')
if (bundle === null) throw new Error('the example does not compile')
const database = await demoDatabase(t, await exampleBundle())
const admin = await database.client()
await admin.query(readFileSync('examples/collaboration/tables.sql', 'utf8'))
const id = (table: number, n: number): string =>
  `00000000-0000-0000-000${table}-${String(n).padStart(12, '0')}`

/** Documents and tools in every combination of owner, share, level and parent. */
async function fill(): Promise<void> {
  const tenants = [DEMO.acme, DEMO.globex, DEMO.platform]
  const owners = [DEMO.ada, DEMO.gus, null]
  const levels = ['read', 'write', 'none', 'list', null]
  for (let n = 0; n < 45; n++) {
    await admin.query('INSERT INTO documents VALUES ($1, $2, $3, $4, $5)', [
      id(7, n),
      tenants[n % 3],
      owners[Math.floor(n / 3) % 3],
      `Document ${n}`,
      [null, '2001-01-01T00:00:00Z', 'infinity'][n % 5] ?? null
    ])
    for (const [i, tenant] of [DEMO.globex, DEMO.initech].entries()) {
      if ((n + i) % 4 === 0) continue
      await admin.query('INSERT INTO document_shares VALUES ($1, $2, $3)', [
        id(7, n),
        tenant,
        levels[(n + i) % 5]
      ])
    }
  }
  const { rows: workflows } = await admin.query<{ id: string }>('SELECT id FROM workflows ORDER BY id')
  for (let n = 0; n < 12; n++) {
    await admin.query('INSERT INTO tools (id, tenant_id, name, workflow_id) VALUES ($1, $2, $3, $4)', [
      id(8, n),
      tenants[n % 3],
      `Tool ${n}`,
      [...workflows, { id: null }][n % (workflows.length + 1)]?.id ?? null
    ])
  }
  await admin.query(
    `INSERT INTO user_roles (user_id, role, tenant_id) VALUES ('${DEMO.gus}', 'user', '${DEMO.globex}')`
  )
}

await fill()
await migrate({ database: database.url(), bundle, passwords: { app: TEST_PASSWORD, service: TEST_PASSWORD } })
const app = await database.client('twinrule_app')
const pool = new pg.Pool({ connectionString: database.url('twinrule_service'), max: 1 })
t.teardown(() => Promise.all([admin.end(), app.end(), pool.end()]))

t.test('rules over related rows decide alike from the facts and under row-level security', async t => {
  const engine = createEngine(bundle)
  const reader = createFactsReader(pool)
  let allowed = 0
  let asked = 0
  for (const user of ['ada', 'gus', 'ivy', 'root'] as User[]) {
    for (const [type, table, column] of [
      ['document', 'documents', 'title'],
      ['tool', 'tools', 'is_shared']
    ] as const) {
      const { rows: all } = await admin.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`)
      const facts = await reader.read(
        {
          subjects: [{ id: DEMO[user], tenantId: HOME[user] }],
          resources: all.map(one => ({ type, id: one.id }))
        },
        bundle.revision
      )
      const [who] = facts.principals
      if (who?.status !== 'member') throw new Error('not a member')
      const decided = (action: string) =>
        all
          .filter((one, i) => {
            const { decision } = engine.decide({
              subject: { type: 'user', id: DEMO[user], properties: who.principal },
              action: { name: action },
              resource: { type, id: one.id, properties: facts.rows[i] ?? {} }
            })
            return decision
          })
          .map(one => one.id)
      const statements = {
        read: `SELECT id FROM ${table}`,
        update: `UPDATE ${table} SET ${column} = ${column} RETURNING id`,
        delete: `DELETE FROM ${table} RETURNING id`
      }
      for (const [action, statement] of Object.entries(statements)) {
        const seen = await acting(app, user, async () => (await app.query<{ id: string }>(statement)).rows)
        const expected = decided(action)
        t.same(seen.map(one => one.id).sort(), expected, `${user} ${action} ${table}`)
        allowed += expected.length
        asked += all.length
      }
    }
  }
  t.ok(allowed > asked / 10 && allowed < asked, `${allowed} of ${asked} are allowed`)
})

t.test('column rules hold in the database as in the engine', async t => {
  const change = (user: User, set: string) =>
    acting(app, user, async () => {
      const { rowCount } = await app.query(`UPDATE tools SET ${set} WHERE tenant_id = '${HOME[user]}'`)
      return rowCount
    }).catch((error: { code: string }) => error.code)
  t.ok(Number(await change('ada', 'is_shared = NOT is_shared')) > 0)
  t.equal(await change('ada', `tenant_id = '${DEMO.globex}'`), '42501')
  t.equal(await change('ada', 'id = gen_random_uuid()'), '42501')
  t.ok(Number(await change('root', `tenant_id = '${DEMO.globex}'`)) > 0)
  t.equal(await change('root', 'id = gen_random_uuid()'), '42501', 'immutable is for everybody')
})

t.test('an application reads related rows no further than the rules say', async t => {
  await acting(app, 'ivy', async () => {
    await t.rejects(app.query('SELECT document_id, tenant_id, level, xmin FROM document_shares'), {
      code: '42501'
    })
  })
  await acting(app, 'ivy', async () => {
    await t.rejects(
      app.query("INSERT INTO document_shares VALUES (gen_random_uuid(), gen_random_uuid(), 'read')"),
      {
        code: '42501'
      }
    )
  })
})

t.test('going back to the other policy leaves no trigger behind', async t => {
  await migrate({ database: database.url(), bundle: await exampleBundle() })
  const { rows } = await admin.query<{ tgname: string }>(
    "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE '%twinrule_%' ORDER BY 1"
  )
  t.same(
    rows.map(({ tgname }) => tgname),
    ['agents', 'prompts', 'rag_knowledge_sources', 'tools', 'workflows'].map(
      table => `A_twinrule_${table}_columns`
    )
  )
  const { rows: open } = await admin.query(
    "SELECT has_table_privilege('twinrule_app', 'documents', 'SELECT') AS may"
  )
  t.equal(open[0].may, false, 'a table that left the policy is closed')
  const { rows: shares } = await admin.query(
    "SELECT has_any_column_privilege('twinrule_app', 'document_shares', 'SELECT') AS may"
  )
  t.equal(shares[0].may, false, 'and so is the plain table that it led to')
})
