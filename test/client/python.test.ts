import t, { type Test } from 'tap'
import { contextKey, contextKeyText, contextToken } from '../../src/db/context-token.js'
import type { Database } from '../support/cluster.js'
import { DEMO, HOME, TEST_KEY } from '../support/example.js'
import { connectionStates, disturb, idOf, manyTenants } from '../support/many-tenants.js'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.js'
import { askPython, findPython } from '../support/python.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TENANTS = 40
const CLIENTS = 12
const KEY = contextKeyText(TEST_KEY)

const python = findPython()
const program = 'program' in python ? python.program : ''
const options = 'skip' in python ? { skip: python.skip } : {}
const pgbouncer = findPgBouncer()
const absent = pgbouncer === null ? { skip: 'PgBouncer is not installed (Debian: pgbouncer)' } : {}

t.test('the tokens of Python are those of Node.js, byte for byte', options, async t => {
  const now = 1_790_000_000.75
  t.intercept(Date, 'now', { value: () => now * 1000 })
  const asked = [
    { key: KEY, user: DEMO.ada, tenant: DEMO.acme, seconds: 60 },
    { key: KEY, user: DEMO.gus.toUpperCase(), tenant: DEMO.globex.toUpperCase(), seconds: 1 },
    // the last character holds bits that are no part of the 32 bytes
    { key: `a_-:${'_-'.repeat(21)}_`, user: DEMO.ivy, tenant: DEMO.initech, seconds: 120 },
    { key: KEY, user: `${DEMO.ada}\n`, tenant: DEMO.acme, seconds: 60 },
    { key: KEY, user: DEMO.ada, tenant: `${DEMO.acme}.${DEMO.ada}`, seconds: 60 },
    { key: `${KEY}\n`, user: DEMO.ada, tenant: DEMO.acme, seconds: 60 },
    { key: KEY.slice(0, -1), user: DEMO.ada, tenant: DEMO.acme, seconds: 60 }
  ]
  const ours = asked.map(({ key, user, tenant, seconds }) => {
    try {
      return contextToken(contextKey(key), { userId: user, tenantId: tenant }, { seconds })
    } catch (error) {
      return (error as Error).message
    }
  })
  const theirs = await askPython<string[]>(program, { ask: 'tokens', now, tokens: asked })
  t.equal(ours.filter(token => token.startsWith('v1.')).length, 3)
  for (const [i, token] of ours.entries()) {
    if (token.startsWith('v1.')) t.equal(theirs[i], token)
    else t.ok(theirs[i]?.startsWith(token), `${theirs[i]} refuses what ${token} refuses`)
  }
})

t.test('a transaction that has ended answers nobody', options, async t => {
  const database = await manyTenants(t, 1)
  const principal = [idOf('user', 1), idOf('tenant', 1)]
  const question = { ask: 'ended', url: database.url('twinrule_app'), key: KEY, principal }
  t.strictSame(await askPython(program, question), [1, 'the transaction of the tenant has ended'])
})

t.test('the Starlette application shows what its user may see', options, async t => {
  const database = await manyTenants(t, 0)
  const users = Object.fromEntries(
    (['ada', 'gus', 'ivy'] as const).map(name => [name, [DEMO[name], HOME[name]]])
  )
  const env = {
    APP_DATABASE_URL: database.url('twinrule_app'),
    TWINRULE_CONTEXT_KEY: KEY,
    TEST_USERS: JSON.stringify({ ...users, stranger: [DEMO.ada, DEMO.globex] })
  }
  const ask = (requests: readonly unknown[]) =>
    askPython<[number, { readonly id: string }[] | null][]>(program, { ask: 'app', requests }, env)
  const names = ['ada', 'gus', 'ivy', 'nobody', 'stranger']
  const requests = Array.from({ length: 100 }, (_, n) => ['GET', '/agents', names[n % 5], null])
  const seen: Readonly<Record<string, unknown>> = { ada: [200, 3], gus: [200, 3], ivy: [200, 1] }
  const refused: Readonly<Record<string, unknown>> = { nobody: [401, null], stranger: [403, null] }
  t.strictSame(
    (await ask(requests)).map(([status, rows]) => [status, rows?.length ?? null]),
    requests.map(([, , name]) => (seen[String(name)] ?? refused[String(name)]) as unknown)
  )
  const rename = (user: string, n: 1 | 4) => ['PATCH', `/agents/${DEMO.agent(n)}`, user, { name: 'Renamed' }]
  t.strictSame(await ask([rename('gus', 4), rename('gus', 1), rename('ivy', 4), rename('stranger', 4)]), [
    [200, { changed: 1 }],
    [404, null],
    [404, null],
    [403, null]
  ])
})

interface Tally {
  readonly right: number
  readonly wrong: readonly string[]
  readonly leftovers: number
  readonly disturbed: number
  readonly cancelled: number
}

async function check(t: Test, database: Database, url: string, count = 5_000): Promise<void> {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const tenants = Array.from({ length: TENANTS }, (_, n) => [idOf('user', n + 1), idOf('tenant', n + 1)])
  const question = {
    ask: 'interleave',
    url,
    key: KEY,
    seed: SEED,
    requests: count,
    clients: CLIENTS,
    tenants
  }
  let isRunning = true
  const asked = askPython<Tally>(program, question).finally(() => {
    isRunning = false
  })
  const [{ right, wrong, leftovers, disturbed, cancelled }] = await Promise.all([
    asked,
    disturb(database, () => isRunning)
  ])
  t.strictSame(wrong, [])
  t.equal(leftovers, 0)
  t.ok(right > count / 2, `${right} right, ${disturbed} disturbed, ${cancelled} cancelled`)
  t.ok(disturbed > 0 && cancelled > 0)
  const states = await connectionStates(database)
  t.strictSame(
    states.filter(state => state !== 'idle'),
    [],
    'no transaction is left open'
  )
}

t.test('5,000 requests of Python never meet: direct', options, async t => {
  const database = await manyTenants(t, TENANTS)
  await check(t, database, database.url('twinrule_app'))
})

t.test('5,000 requests of Python never meet: through PgBouncer', { ...absent, ...options }, async t => {
  if (pgbouncer === null) return
  const database = await manyTenants(t, TENANTS)
  const through = { program: pgbouncer, role: 'twinrule_app', connections: 3 }
  await check(t, database, await startPgBouncer(t, database, through))
})
