// An application's own SQL under row-level security: every transaction says for whom it works.
//
//   APP_DATABASE_URL=postgres://twinrule_app:PASSWORD@HOST/DATABASE TWINRULE_CONTEXT_KEY=... node examples/node-app/app.mjs
import pg from 'pg'
import { asPlatformAdmin, contextKey, tenantPool, tenantQuery, withTenant } from 'twinrule/client'

const gus = {
  userId: '00000000-0000-0000-0001-00000000000b',
  tenantId: '00000000-0000-0000-0000-00000000000b'
}
const root = {
  userId: '00000000-0000-0000-0001-000000000001',
  tenantId: '00000000-0000-0000-0000-000000000001'
}

const pool = new pg.Pool({ connectionString: process.env.APP_DATABASE_URL, max: 4 })
pool.on('error', () => {}) // a connection that breaks while idle must not end the process
const tenants = tenantPool(pool, { key: contextKey(process.env.TWINRULE_CONTEXT_KEY ?? '') })

const NAMES = 'SELECT name FROM agents ORDER BY name'
const listed = ({ rows }) => rows.map(({ name }) => name).join(', ')
const say = line => process.stdout.write(`${line}\n`)

say(`gus sees: ${listed(await tenantQuery(tenants, gus, NAMES))}`)

const update = 'UPDATE agents SET description = description WHERE name = $1'
const touched = await withTenant(tenants, gus, client => client.query(update, ['Acme logistics']))
say(`gus updates Acme logistics: ${touched.rowCount} rows`)

const publish = "SELECT twinrule.share_globally('agent', id) FROM agents WHERE name = 'Globex research'"
say(
  `gus publishes Globex research: ${await tenantQuery(tenants, gus, publish).catch(error => error.message)}`
)

say(`root sees as a member: ${listed(await tenantQuery(tenants, root, NAMES))}`)
const all = await asPlatformAdmin(tenants, root, { reason: 'a look at all agents' }, client =>
  client.query(NAMES)
)
say(`root sees as administrator: ${listed(all)}`)
say(`without a context: ${(await pool.query(NAMES)).rowCount} agents`)
await pool.end()
