import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { DriftReport } from '../../src/drift/finding.js'
import { DatabaseError } from '../../src/errors/errors.js'
import type { Lister } from '../../src/server/lister.js'
import { engine, KEY, post, service, settings, tenants, users } from './service.js'

const body = {
  subject: { type: 'user', id: users.ada, properties: { tenant_id: tenants.acme } },
  resource: { type: 'agent' }
}
const page = { rows: [{ id: 'one' }], cursor: null }

function fakeLister(list: Lister['list'] = async () => page) {
  const asked: unknown[] = []
  const lister = {
    asked,
    closed: 0,
    list: (...args: Parameters<Lister['list']>) => {
      asked.push(args)
      return list(...args)
    },
    async close() {
      lister.closed++
    }
  }
  return lister
}
const list = (app: FastifyInstance, what: unknown) => post(app, what, '/v1/list')
const { revision } = engine

t.test('what is asked goes to the lister as it is, and the page comes back with the revision', async t => {
  const lister = fakeLister()
  const query = {
    filter: [{ column: 'name', op: '==', value: null }],
    sort: [{ column: 'name' }, { column: 'id', direction: 'desc' }],
    size: 7,
    cursor: 'c',
    count: true
  }
  const asked = {
    ...body,
    ...query,
    subject: {
      ...body.subject,
      id: users.ada.toUpperCase(),
      properties: { tenant_id: tenants.acme.toUpperCase(), role: 'x' }
    }
  }
  t.match(await list(service(t, { lister }), asked), { status: 200, body: { ...page, revision } })
  const sort = [
    { column: 'name', direction: 'asc' },
    { column: 'id', direction: 'desc' }
  ]
  t.strictSame(lister.asked, [
    [
      { userId: users.ada, tenantId: tenants.acme },
      { type: 'agent', ...query, sort }
    ]
  ])
})

t.test('what is no list is 400 with its path, and no database is asked', async t => {
  const lister = fakeLister()
  const app = service(t, { lister })
  const subject = { type: 'user', id: users.ada }
  const cases: [unknown, string, string | RegExp][] = [
    ['[]', '', 'the body must be an object'],
    [{ resource: body.resource }, '/subject', 'subject is missing'],
    [{ subject: body.subject }, '/resource', 'resource is missing'],
    [{ ...body, resource: {} }, '/resource/type', 'resource.type is missing'],
    [{ ...body, resource: { type: 7 } }, '/resource/type', /must be a string/],
    [{ ...body, resource: { type: 'a'.repeat(257) } }, '/resource/type', /longer than 256/],
    [{ ...body, subject: { id: users.ada } }, '/subject/type', /missing/],
    [{ ...body, subject: { type: 'user' } }, '/subject/id', /missing/],
    [{ ...body, subject }, '/subject/properties/tenant_id', /tenant_id is missing/],
    [{ ...body, subject: { ...subject, properties: {} } }, '/subject/properties/tenant_id', /missing/],
    [
      { ...body, subject: { ...subject, properties: { tenant_id: 7 } } },
      '/subject/properties/tenant_id',
      /string/
    ],
    [
      { ...body, subject: { ...subject, properties: { tenant_id: 'acme' } } },
      '/subject/properties/tenant_id',
      /uuid/
    ],
    [{ ...body, filter: {} }, '/filter', /array/],
    [{ ...body, filter: [7] }, '/filter/0', /object/],
    [{ ...body, filter: [{ op: '==', value: 1 }] }, '/filter/0/column', /missing/],
    [{ ...body, filter: [{ column: 'name', value: 1 }] }, '/filter/0/op', /missing/],
    [{ ...body, filter: [{ column: 'name', op: '==' }] }, '/filter/0/value', /missing/],
    [{ ...body, filter: [{ column: 'name', op: '==', valeu: 1 }] }, '/filter/0/valeu', /no member/],
    [{ ...body, sort: 'name' }, '/sort', /array/],
    [{ ...body, sort: [{}] }, '/sort/0/column', /missing/],
    [{ ...body, sort: [{ column: 'name', direction: 'up' }] }, '/sort/0/direction', /asc or desc/],
    [{ ...body, size: '7' }, '/size', /number/],
    [{ ...body, cursor: null }, '/cursor', /string/],
    [{ ...body, count: 1 }, '/count', /boolean/],
    [{ ...body, fitler: [] }, '/fitler', /no member/]
  ]
  for (const [asked, path, message] of cases) {
    const reply = await list(app, asked)
    t.match(reply, { status: 400, body: { error: { code: 'TWR_REQUEST_INVALID', path, message } } }, path)
  }
  t.match((await list(app, { ...body, fitler: [] })).body.error.hint, 'filter')
  t.strictSame(lister.asked, [])
})

t.test('nobody sees nothing, and is told why', async t => {
  const lister = fakeLister(async () => {
    throw new DatabaseError('TWR_DB_NOT_MEMBER', 'no')
  })
  const app = service(t, { lister })
  const empty = { rows: [], cursor: null, revision }
  const asking = (subject: object) => ({ ...body, subject: { ...body.subject, ...subject } })
  const cases: [object, string, number][] = [
    [{ type: 'service' }, 'unknown_subject_type', 0],
    [{ id: 'ada' }, 'unknown_subject', 0],
    [{}, 'not_a_member', 1]
  ]
  for (const [subject, code, asked] of cases) {
    lister.asked.length = 0
    const reply = await list(app, asking(subject))
    t.match(reply, { status: 200, body: { ...empty, code, reason: /\w/ } }, code)
    t.notOk('count' in reply.body)
    t.equal(lister.asked.length, asked)
    t.equal((await list(app, { ...asking(subject), count: true })).body.count, 0)
  }
})

t.test('without a login for lists, without a database, without a key', async t => {
  t.match(await list(service(t), body), {
    status: 404,
    body: { error: { code: 'TWR_REQUEST_NO_LISTS', message: /TWINRULE_LIST_DATABASE_URL is not set/ } }
  })
  t.match(await list(service(t, { facts: null }), body), {
    status: 404,
    body: { error: { code: 'TWR_REQUEST_NO_LISTS', message: /stateless/ } }
  })
  const app = service(t, { lister: fakeLister() })
  const anyone = await app.inject({ method: 'POST', url: '/v1/list', payload: body })
  t.match(anyone, { statusCode: 401 })
  t.match(await app.inject({ url: '/v1/list', headers: { authorization: `Bearer ${KEY}` } }), {
    statusCode: 405
  })
})

t.test('a fault is 503 and says nothing of itself', async t => {
  const secret = 'select tenant'
  const faults: [Lister['list'], string][] = [
    [() => Promise.reject(new Error(secret)), 'TWR_DB_FAULT'],
    [() => Promise.reject(new DatabaseError('TWR_DB_UNREACHABLE', secret)), 'TWR_DB_UNREACHABLE'],
    [() => new Promise(() => {}), 'TWR_DB_FAULT']
  ]
  for (const [broken, code] of faults) {
    const config = settings({ TWINRULE_FACTS_TIMEOUT_MS: '30' })
    const reply = await list(service(t, { lister: fakeLister(broken), config }), body)
    t.match(reply, { status: 503, headers: { 'retry-after': '1' }, body: { error: { code } } })
    t.notMatch(JSON.stringify(reply.body), secret)
  }
})

t.test('another revision in the database, and any drift, end lists', async t => {
  const other = fakeLister(() => Promise.reject(new DatabaseError('TWR_DB_NOT_MIGRATED', 'another')))
  t.match(await list(service(t, { lister: other }), body), {
    status: 503,
    body: { error: { code: 'TWR_DB_NOT_MIGRATED' } }
  })
  const lister = fakeLister()
  const finding = {
    code: 'TWR_DRIFT_POLICY',
    severity: 'error',
    object: 'p',
    message: 'the policy p changed'
  }
  const look = async () => ({ findings: [finding] }) as unknown as DriftReport
  const app = service(t, { lister, look })
  await app.ready()
  const drifted = async (): Promise<Awaited<ReturnType<typeof list>>> => {
    const reply = await list(app, body)
    return reply.status === 503 ? reply : drifted()
  }
  t.match(await drifted(), { body: { error: { code: 'TWR_DB_DRIFT' } } })
  const before = lister.asked.length
  t.equal((await list(app, body)).status, 503)
  t.equal(lister.asked.length, before, 'and the database is not asked')
})

t.test('too many at once are sent away, and a list in flight is answered while draining', async t => {
  let answer = () => {}
  const held = new Promise<void>(resolve => {
    answer = resolve
  })
  const lister = fakeLister(async () => {
    await held
    return page
  })
  const app = service(t, { lister, config: settings({ TWINRULE_MAX_IN_FLIGHT: '1' }) })
  const address = await app.listen({ port: 0 })
  const request = () =>
    fetch(`${address}/v1/list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body)
    })
  const first = request()
  while (lister.asked.length === 0) await new Promise(resolve => void setTimeout(resolve, 5))
  const second = await request()
  t.match([second.status, await second.json()], [503, { error: { code: 'TWR_REQUEST_OVERLOADED' } }])
  const closed = app.close()
  await new Promise(resolve => void setTimeout(resolve, 20))
  t.equal(lister.closed, 0, 'not before the answer')
  answer()
  const reply = await first
  t.match([reply.status, await reply.json()], [200, page])
  await closed
  t.equal(lister.closed, 1)
})
