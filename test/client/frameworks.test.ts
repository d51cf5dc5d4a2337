import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import Fastify, { type FastifyRequest } from 'fastify'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import t from 'tap'
import {
  oneConnectionPool,
  type RequestTenant,
  tenantMiddleware,
  tenantPlugin,
  tenantPool,
  withTenant
} from '../../src/client.js'
import { contextKeyText } from '../../src/db/context-token.js'
import { documents } from '../structure/documents.js'
import { DEMO, demoDatabase, exampleBundle, HOME, TEST_KEY, type User } from '../support/example.js'
import { freePort } from '../support/server.js'

const database = await demoDatabase(t, await exampleBundle())
const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 2 })
// the database is dropped by force: a connection that is cut while idle must not fail the file
pool.on('error', () => {})
t.teardown(() => pool.end())
const tenants = tenantPool(pool, { key: TEST_KEY })
const SEEN: Readonly<Record<string, number>> = { ada: 3, gus: 3, ivy: 1 }

const isUser = (name: string | undefined): name is User => name !== undefined && name in HOME
/** What a real application does with a verified session. */
const principalOf = (name: string | undefined) => {
  if (name === 'stranger') return { userId: DEMO.ada, tenantId: DEMO.globex }
  return isUser(name) ? { userId: DEMO[name], tenantId: HOME[name] } : null
}
const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name).sort()
const GUS = ['Acme logistics', 'Globex research', 'Translator']

t.test('the application of the README sees what its user may see', async t => {
  const readme = documents().find(({ file }) => file === 'README.md')
  const app = readme?.blocks.find(block => block.language === 'js' && block.text.includes('tenantPlugin'))
  t.ok(app !== undefined && app.text.split('\n').filter(line => line !== '').length < 15, 'under 15 lines')
  const user = JSON.stringify({ gus: principalOf('gus'), stranger: principalOf('stranger') })
  const dir = t.testdir({
    'app.js': app?.text ?? '',
    'package.json': '{ "type": "module" }',
    'authenticate.js': `const users = ${user}
export const authenticate = async ({ headers }) => users[headers.authorization] ?? null\n`
  })
  const port = await freePort()
  const own = ['--import', '@tapjs/typescript/import', '--import', './test/support/own-sources.mjs']
  const child = spawn(process.execPath, [...own, `${dir}/app.js`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      PORT: String(port),
      APP_DATABASE_URL: database.url('twinrule_app'),
      TWINRULE_CONTEXT_KEY: contextKeyText(TEST_KEY)
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ask = (authorization: string) =>
    fetch(`http://127.0.0.1:${port}/agents`, { headers: { authorization } })
  let first: Response | null = null
  for (let n = 0; n < 300 && first === null; n++) first = await ask('gus').catch(() => sleep(100, null))
  t.strictSame(names((await first?.json()) as { name: string }[]), GUS)
  t.equal((await ask('nobody')).status, 401)
  t.equal((await ask('stranger')).status, 403)
})

t.test('a Fastify request asks for its user once, when it first needs him', async t => {
  let asked = 0
  const app = Fastify()
  t.teardown(() => app.close())
  const principal = async (request: FastifyRequest) => {
    asked++
    return principalOf(String(request.headers['x-verified']))
  }
  app.register(async inner => {
    inner.get('/idle', async () => 'idle')
    inner.get('/agents', async request => {
      const agents = await request.tenant.query('SELECT id FROM agents')
      const again = await request.tenant.transaction(client => client.query('SELECT id FROM agents'))
      return [agents.rowCount, again.rowCount]
    })
    inner.get('/all', async request => {
      const all = await request.tenant.asPlatformAdmin({ reason: 'a look' }, client =>
        client.query('SELECT id FROM agents')
      )
      return all.rowCount
    })
  })
  app.register(tenantPlugin, { tenants, principal })
  const get = (url: string, user: string) => app.inject({ url, headers: { 'x-verified': user } })
  await get('/idle', 'ada')
  t.equal(asked, 0)
  const requests = Array.from({ length: 60 }, (_, n) => ['ada', 'gus', 'ivy'][n % 3] ?? '')
  const answers = await Promise.all(requests.map(user => get('/agents', user)))
  t.strictSame(
    answers.map(answer => answer.json()),
    requests.map(user => [SEEN[user], SEEN[user]])
  )
  t.equal(asked, requests.length)
  t.equal((await get('/all', 'root')).json(), 4)
  t.equal((await get('/agents', 'nobody')).statusCode, 401)
  t.equal((await get('/agents', 'stranger')).statusCode, 403)
})

t.test('middleware does the same for everything that calls (request, response, next)', async t => {
  type Incoming = { url?: string | undefined; readonly tenant?: RequestTenant }
  const middleware = tenantMiddleware<Incoming>(tenants, ({ url }) => principalOf(url?.slice(1)))
  const server = createServer((request: Incoming, response) => {
    middleware(request, response, async () => {
      try {
        const result = await request.tenant?.query('SELECT id FROM agents')
        response.end(String(result?.rowCount))
      } catch (error) {
        response.statusCode = (error as { statusCode: number }).statusCode
        response.end()
      }
    })
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const get = async (user: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/${user}`, { headers: { connection: 'close' } })
    return [answer.status, await answer.text()]
  }
  const requests = Array.from({ length: 60 }, (_, n) => ['ada', 'gus', 'ivy'][n % 3] ?? '')
  t.strictSame(
    await Promise.all(requests.map(get)),
    requests.map(user => [200, String(SEEN[user])])
  )
  t.strictSame(await get('nobody'), [401, ''])
  t.strictSame(await get('stranger'), [403, ''])
})

const gus = { userId: DEMO.gus, tenantId: DEMO.globex }
const refusal = { message: /may not begin or end transactions itself/ }

t.test('Kysely sees what the tenant may see', async t => {
  interface Tables {
    agents: { id: string; name: string; description: string | null }
  }
  await withTenant(tenants, gus, async client => {
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: oneConnectionPool(client) }) })
    t.strictSame(names(await db.selectFrom('agents').select(['id', 'name']).execute()), GUS)
    const one = db.selectFrom('agents').selectAll().where('id', '=', DEMO.agent(1))
    t.strictSame(await one.execute(), [])
    const update = db.updateTable('agents').set({ description: 'by kysely' }).returning('name')
    t.strictSame(await update.where('id', '=', DEMO.agent(4)).execute(), [{ name: 'Globex research' }])
    await t.rejects(
      db.transaction().execute(async () => {}),
      refusal
    )
    await db.destroy()
    t.equal((await client.query('SELECT id FROM agents')).rowCount, 3, 'and the transaction goes on')
  })
})

t.test('Drizzle sees what the tenant may see', async t => {
  const agents = pgTable('agents', {
    id: uuid().primaryKey(),
    name: text().notNull(),
    description: text()
  })
  await withTenant(tenants, gus, async client => {
    const db = drizzle(client as unknown as pg.Client)
    t.strictSame(names(await db.select({ id: agents.id, name: agents.name }).from(agents)), GUS)
    t.strictSame(
      await db
        .select()
        .from(agents)
        .where(eq(agents.id, DEMO.agent(1))),
      []
    )
    const update = db
      .update(agents)
      .set({ description: 'by drizzle' })
      .where(eq(agents.id, DEMO.agent(4)))
    t.strictSame(await update.returning({ name: agents.name }), [{ name: 'Globex research' }])
    const failure: unknown = await db.transaction(async () => {}).catch((error: unknown) => error)
    t.match((failure as { cause?: unknown }).cause ?? failure, refusal)
  })
})

t.test('one statement after all of that is nobody', async t => {
  t.equal((await pool.query('SELECT id FROM agents')).rowCount, 0)
})
