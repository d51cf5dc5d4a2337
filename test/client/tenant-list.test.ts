import pg from 'pg'
import t from 'tap'
import { tenantList } from '../../src/client/tenant-list.js'
import { tenantPool } from '../../src/client.js'
import { cursorOf } from '../../src/db/list-cursor.js'
import { DEMO, demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'

const bundle = await exampleBundle()
const database = await demoDatabase(t, bundle)
const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 1 })
t.teardown(() => pool.end())
const ada = { userId: DEMO.ada, tenantId: DEMO.acme }
const gus = { userId: DEMO.gus, tenantId: DEMO.globex }
const query = { type: 'agent', sort: [{ column: 'tenant_id' }], size: 2, count: true } as const

t.test('pages of a list, each user his rows, prepared or not', async t => {
  for (const prepare of [true, false]) {
    const tenants = tenantPool(pool, { key: TEST_KEY, prepare })
    for (const [who, mine] of [
      [ada, [1, 2, 3]],
      [gus, [2, 3, 4]]
    ] as const) {
      for (let round = 0; round < 2; round++) {
        const first = await tenantList(tenants, who, bundle, query)
        const next = await tenantList(tenants, who, bundle, { ...query, cursor: String(first.cursor) })
        const ids = [...first.rows, ...next.rows].map(({ id }) => String(id))
        t.strictSame(
          [...ids].sort(),
          mine.map(n => DEMO.agent(n))
        )
        t.strictSame([first.count, next.count, next.cursor], [3, 3, null])
      }
    }
  }
  const { rows } = await pool.query(
    'SELECT current_user::text AS role, (SELECT count(*)::int FROM agents) AS agents'
  )
  t.strictSame(rows, [{ role: 'twinrule_app', agents: 0 }], 'and nothing is left on the connection')
})

t.test('who is no member, and what is no list or no cursor of it', async t => {
  const tenants = tenantPool(pool, { key: TEST_KEY })
  await t.rejects(tenantList(tenants, { ...ada, tenantId: DEMO.globex }, bundle, query), {
    code: 'TWR_DB_NOT_MEMBER'
  })
  await t.rejects(tenantList(tenants, ada, bundle, { type: 'agnet' }), { code: 'TWR_REQUEST_LIST' })
  const first = await tenantList(tenants, ada, bundle, query)
  const other = { ...query, type: 'tool', cursor: String(first.cursor) }
  await t.rejects(tenantList(tenants, ada, bundle, other), { code: 'TWR_REQUEST_CURSOR' })
  // what only the database can refuse
  const list = JSON.stringify([
    'agent',
    [
      ['tenant_id', false],
      ['id', false]
    ],
    [],
    []
  ])
  const forged = { ...query, cursor: cursorOf(list, ['x', 'y']) }
  await t.rejects(tenantList(tenants, ada, bundle, forged), { code: 'TWR_REQUEST_CURSOR', statusCode: 400 })
  // ada's cursor opens nothing to gus
  const { rows } = await tenantList(tenants, gus, bundle, { ...query, cursor: String(first.cursor) })
  t.notOk(rows.some(({ id }) => id === DEMO.agent(1)))
  t.equal(pool.idleCount, pool.totalCount, 'the connection goes on')
})
