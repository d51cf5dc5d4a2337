import pg from 'pg'
import t from 'tap'
import { asPlatformAdmin, tenantPool, tenantQuery, withTenant } from '../../src/client.js'
import { listResources } from '../../src/db/list.js'
import {
  DECISION_TABLE,
  DEMO,
  demoDatabase,
  exampleBundle,
  HOME,
  TEST_KEY,
  type User
} from '../support/example.js'
import { startReplicated } from '../support/standby.js'

const IDS = 'SELECT id FROM agents ORDER BY id'
const USERS: readonly User[] = ['ada', 'gus', 'ivy']
const bundle = await exampleBundle()

for (const server of ['usual', 'registry'] as const) {
  t.test(`a standby of the ${server} server`, async t => {
    const { primary, onStandby } = await startReplicated(t, server)
    const database = await demoDatabase(t, bundle, primary)
    const standby = await onStandby(database)
    const pool = new pg.Pool({ connectionString: standby.url('twinrule_app'), max: 1 })
    pool.on('error', () => {})
    t.teardown(() => pool.end())
    const tenants = tenantPool(pool, { key: TEST_KEY })
    const principal = (user: User) => ({ userId: DEMO[user], tenantId: HOME[user] })

    t.test('shows to each user what the primary would', async t => {
      const { rows } = await pool.query('SELECT pg_is_in_recovery() AS standby')
      t.strictSame(rows, [{ standby: true }])
      for (const user of USERS) {
        const may = DECISION_TABLE[user].read.map(n => DEMO.agent(n as 1 | 2 | 3 | 4))
        const who = principal(user)
        for (let round = 0; round < 2; round++) {
          t.strictSame(
            (await tenantQuery(tenants, who, IDS)).rows,
            may.map(id => ({ id }))
          )
        }
        for (const readOnly of [true, undefined]) {
          const options = readOnly === undefined ? {} : { readOnly }
          const page = await withTenant(
            tenants,
            who,
            client => listResources(client, bundle, { type: 'agent', count: true }),
            options
          )
          t.match(page, { rows: may.map(id => ({ id })), count: may.length })
        }
      }
      t.strictSame((await pool.query(IDS)).rows, [], 'and outside of a transaction nothing')
    })

    t.test('takes no write and no entry of a role, and says so', async t => {
      const refused = { code: '25006', message: /in a read-only transaction|during recovery/ }
      await t.rejects(tenantQuery(tenants, principal('ada'), 'UPDATE agents SET name = name'), refused)
      const entry = { reason: 'looking' }
      await t.rejects(
        asPlatformAdmin(tenants, principal('root'), entry, client => client.query(IDS)),
        refused
      )
      t.equal((await tenantQuery(tenants, principal('ada'), IDS)).rowCount, 3, 'the connection goes on')
    })

    t.test('follows: a membership that has ended ends there too', async t => {
      const admin = await database.client()
      t.teardown(() => admin.end())
      await admin.query('DELETE FROM user_tenants WHERE user_id = $1', [DEMO.ada])
      await onStandby(database)
      await t.rejects(tenantQuery(tenants, principal('ada'), IDS), { code: 'TWR_DB_NOT_MEMBER' })
    })
  })
}
