import t from 'tap'
import type { FactsReader } from '../../src/db/facts.js'
import { DatabaseError } from '../../src/errors/errors.js'
import {
  agent,
  engine,
  type FakeFacts,
  fakeFacts,
  post,
  question,
  service,
  settings,
  tenants,
  users
} from './service.js'

const SECRET = 'select * from agents where tenant_id ='
const ask = question(users.ada, 'read', 1)
const allowed = {
  status: 'member',
  principal: { id: users.ada, tenant_id: tenants.acme, is_platform_admin: true }
}
const good = await fakeFacts().read({
  subjects: [{ id: users.ada, tenantId: null }],
  resources: [{ type: 'agent', id: agent(1) }]
})
const later = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

/** A reader whose read answers with anything. */
const reading = (read: () => unknown) => fakeFacts({ read: read as FakeFacts['read'] })

t.test('a fault of the facts is 503, neither a permit nor a deny, and says nothing of the fault', async t => {
  const late = later(150).then(() => Promise.reject(new Error(SECRET)))
  late.catch(() => {})
  const faults: [name: string, read: () => unknown][] = [
    ['rejects', () => Promise.reject(Object.assign(new Error(SECRET), { code: '42P01', detail: SECRET }))],
    [
      'rejects with ours',
      () => Promise.reject(new DatabaseError('TWR_DB_UNREACHABLE', SECRET, { hint: SECRET }))
    ],
    [
      'throws',
      () => {
        throw new TypeError(SECRET)
      }
    ],
    [
      "rejects with PostgreSQL's words",
      () =>
        Promise.reject(
          new DatabaseError('TWR_DB_FAULT', SECRET, { sqlstate: '22P02', cause: new Error(SECRET) })
        )
    ],
    ['rejects with nothing', () => Promise.reject(undefined)],
    [
      'rejects with a status',
      () => Promise.reject(Object.assign(new Error(SECRET), { statusCode: 400, validation: [] }))
    ],
    ['hangs', () => new Promise(() => {})],
    ['is late and fails', () => late],
    ['nothing', () => undefined],
    ['null', () => null],
    ['a list', () => []],
    ['no rows', () => ({ principals: good.principals })],
    ['too few rows', () => ({ ...good, rows: [] })],
    ['too many rows', () => ({ ...good, rows: [...good.rows, ...good.rows] })],
    ['a row that is missing', () => ({ ...good, rows: [undefined] })],
    ['a row that is a list', () => ({ ...good, rows: [[]] })],
    ['the row of another id', () => ({ ...good, rows: [{ ...good.rows[0], id: agent(2) }] })],
    ['a row without its id', () => ({ ...good, rows: [{ tenant_id: tenants.acme }] })],
    ['a row whose id is none', () => ({ ...good, rows: [{ ...good.rows[0], id: 1 }] })],
    ['too few principals', () => ({ ...good, principals: [] })],
    ['too many principals', () => ({ ...good, principals: [...good.principals, ...good.principals] })],
    ['an unknown status', () => ({ ...good, principals: [{ ...allowed, status: 'fine' }] })],
    ['a member without attributes', () => ({ ...good, principals: [{ status: 'member' }] })],
    [
      'another principal',
      () => ({
        ...good,
        principals: [{ status: 'member', principal: { ...allowed.principal, id: users.root } }]
      })
    ]
  ]
  for (const [name, read] of faults) {
    const lines: string[] = []
    const logger = { level: 'info', stream: { write: (line: string) => void lines.push(line) } }
    const app = service(t, {
      facts: reading(read),
      config: settings({ TWINRULE_FACTS_TIMEOUT_MS: '50' }),
      logger
    })
    for (const body of [ask, { evaluations: [ask, { ...ask, subject: { type: 'user', id: 'nobody' } }] }]) {
      const reply = await post(app, body)
      t.equal(reply.status, 503, name)
      t.equal(reply.headers['retry-after'], '1', name)
      t.strictSame(Object.keys(reply.body), ['error'], name)
      t.match(reply.body.error, { code: /^TWR_DB_/, message: /^no decision was made/ }, name)
      t.notMatch(JSON.stringify(reply.body), SECRET)
    }
    const log = lines.filter(line => line.includes('"fault"'))
    t.equal(log.length, 2, `${name}: one line each`)
    t.match(JSON.parse(log[0] ?? ''), { level: 50, status: 503, fault: { code: /^TWR_DB_/ } })
    if (name !== 'rejects with ours') t.notMatch(lines.join(''), SECRET)
  }
  await later(150)
})

t.test('a tenant that was not asked for decides nothing', async t => {
  const facts = reading(async () => ({ ...good, principals: [allowed] }))
  const subject = { ...ask.subject, properties: { tenant_id: tenants.globex } }
  t.equal((await post(service(t, { facts }), { ...ask, subject })).status, 503)
})

t.test('a fault of the engine is 503 and the next question is answered', async t => {
  const broken: unknown[] = [
    undefined,
    null,
    {},
    { decision: 'false' },
    { decision: 1 },
    { decision: null, context: {} }
  ]
  const results = [
    ...broken.map(value => () => value),
    () => {
      throw new RangeError(SECRET)
    }
  ]
  for (const result of results) {
    let first = true
    const decide = (request: Parameters<typeof engine.decide>[0]) => {
      if (!first) return engine.decide(request)
      first = false
      return result() as ReturnType<typeof engine.decide>
    }
    const app = service(t, { engine: { ...engine, decide } })
    const reply = await post(app, { evaluations: [ask, ask] })
    t.equal(reply.status, 503)
    t.strictSame(Object.keys(reply.body), ['error'])
    t.equal(reply.body.error.code, 'TWR_BUG')
    t.notMatch(JSON.stringify(reply.body), SECRET)
    t.equal((await post(app, ask)).body.decision, true)
  }
})

t.test('a database that hangs costs a caller its time limit, and is forgotten when it is back', async t => {
  let hangs = true
  const healthy = fakeFacts()
  const facts = fakeFacts({ read: query => (hangs ? new Promise(() => {}) : healthy.read(query)) })
  const app = service(t, { facts, config: settings({ TWINRULE_FACTS_TIMEOUT_MS: '100' }) })
  const startedAt = performance.now()
  const replies = await Promise.all(Array.from({ length: 60 }, () => post(app, ask)))
  t.ok(performance.now() - startedAt < 1000, 'all of them within the limit')
  t.ok(replies.every(reply => reply.status === 503))
  hangs = false
  t.equal((await post(app, ask)).body.decision, true)
})

t.test('nobody gets the answer of another caller', async t => {
  const healthy = fakeFacts()
  const facts = fakeFacts({ read: query => later(Math.random() * 20).then(() => healthy.read(query)) })
  const app = service(t, { facts, config: settings({ TWINRULE_MAX_IN_FLIGHT: '1000' }) })
  const reads = { ada: 'yyyn', gus: 'nyyy', ivy: 'nnyn', root: 'yyyy' } as const
  const names = ['ada', 'gus', 'ivy', 'root'] as const
  const wrong = await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      const name = names[i % 4] ?? 'ada'
      const n = 1 + (Math.floor(i / 4) % 4)
      const { body } = await post(app, question(users[name], 'read', n))
      return body.decision === (reads[name][n - 1] === 'y') ? 0 : 1
    })
  )
  t.equal(wrong.filter(one => one === 1).length, 0)
})

t.test('liveness stays green and readiness tells why it is not', async t => {
  const reasons: [ready: FactsReader['ready'], code: string][] = [
    [() => Promise.reject(new DatabaseError('TWR_DB_NOT_MIGRATED', SECRET)), 'TWR_DB_NOT_MIGRATED'],
    [() => Promise.reject(new Error(SECRET)), 'TWR_DB_FAULT'],
    [() => new Promise(() => {}), 'TWR_DB_FAULT']
  ]
  for (const [ready, code] of reasons) {
    const app = service(t, {
      facts: fakeFacts({ ready }),
      config: settings({ TWINRULE_FACTS_TIMEOUT_MS: '50' })
    })
    const reply = await app.inject({ url: '/health/ready' })
    t.equal(reply.statusCode, 503)
    t.equal(reply.json().error.code, code)
    t.equal(reply.headers['retry-after'], '1')
    t.notMatch(reply.body, SECRET)
    t.equal((await app.inject({ url: '/health/live' })).statusCode, 200)
  }
})

t.test('many readiness checks at once ask the database once, for the revision that decides', async t => {
  const asked: string[] = []
  const facts = fakeFacts({
    ready: revision => {
      asked.push(revision)
      return later(30)
    }
  })
  const app = service(t, { facts })
  const replies = await Promise.all(Array.from({ length: 50 }, () => app.inject({ url: '/health/ready' })))
  t.ok(replies.every(reply => reply.statusCode === 200))
  t.strictSame(asked, [engine.revision])
  await app.inject({ url: '/health/ready' })
  t.equal(asked.length, 2, 'the answer is not kept')
})
