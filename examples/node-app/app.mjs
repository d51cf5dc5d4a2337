// An application's own SQL under row-level security: every transaction says for whom it works.
//
//   APP_DATABASE_URL=postgres://twinrule_app:PASSWORD@HOST/DATABASE TWINRULE_CONTEXT_KEY=... node examples/node-app/app.mjs
import pg from 'pg'
import { contextKey, contextToken } from 'twinrule'

const GUS = { id: '00000000-0000-0000-0001-00000000000b', tenantId: '00000000-0000-0000-0000-00000000000b' }
const ROOT = { id: '00000000-0000-0000-0001-000000000001', tenantId: '00000000-0000-0000-0000-000000000001' }

const key = contextKey(process.env.TWINRULE_CONTEXT_KEY ?? '')
const pool = new pg.Pool({ connectionString: process.env.APP_DATABASE_URL, max: 4 })
pool.on('error', () => {}) // a connection that breaks while idle must not end the process

/** Runs `work` in a transaction of a user. Anything that throws rolls back, and the context ends with the transaction. */
async function withTenant(user, work, { role } = {}) {
  const client = await pool.connect()
  let broken
  try {
    await client.query('BEGIN')
    const token = contextToken(key, { userId: user.id, tenantId: user.tenantId })
    const { rows } = await client.query('SELECT twinrule.set_tenant_context($1) AS valid', [token])
    if (!rows[0].valid) throw new Error('not an active member of an active tenant')
    if (role !== undefined)
      await client.query('SELECT twinrule.enter_role($1, $2)', [role, 'a look at all agents'])
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(failed => {
      broken = failed
    })
    throw error
  } finally {
    client.release(broken) // a connection that could not roll back is closed
  }
}

const names = async client =>
  (await client.query('SELECT name FROM agents ORDER BY name')).rows.map(r => r.name)
const say = line => process.stdout.write(`${line}\n`)

say(`gus sees: ${(await withTenant(GUS, names)).join(', ')}`)

const update = 'UPDATE agents SET description = description WHERE name = $1'
const touched = await withTenant(GUS, client => client.query(update, ['Acme logistics']))
say(`gus updates Acme logistics: ${touched.rowCount} rows`)

const publish = client =>
  client.query("SELECT twinrule.share_globally('agent', id) FROM agents WHERE name = 'Globex research'")
say(`gus publishes Globex research: ${await withTenant(GUS, publish).catch(error => error.message)}`)

say(`root sees as a member: ${(await withTenant(ROOT, names)).join(', ')}`)
say(
  `root sees as administrator: ${(await withTenant(ROOT, names, { role: 'authz_platform_admin' })).join(', ')}`
)
say(`without a context: ${(await names(pool)).length} agents`)
await pool.end()
