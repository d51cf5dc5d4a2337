import t from 'tap'
import { agent, headers, KEY, post, question, service, settings, users } from './service.js'

t.test('callers need a key, before anything else is looked at', async t => {
  const app = service(t, { config: settings({ TWINRULE_API_KEYS: `other, ${KEY}` }) })
  const payload = JSON.stringify(question(users.ada, 'read', 1))
  const ask = async (authorization: string | undefined, body = payload) => {
    const given = authorization === undefined ? {} : { authorization }
    return app.inject({
      method: 'POST',
      url: '/authorize',
      headers: { 'content-type': 'application/json', ...given },
      payload: body
    })
  }
  for (const wrong of [
    undefined,
    '',
    KEY,
    'Bearer',
    'Bearer ',
    `Basic ${KEY}`,
    'Bearer test-kez',
    `Bearer ${KEY}x`,
    `Bearer ${KEY} x`,
    `Bearer other, ${KEY}`,
    'Bearer other,test-key',
    `Bearer\u00a0${KEY}`
  ]) {
    const reply = await ask(wrong)
    t.equal(reply.statusCode, 401, `${wrong}`)
    t.equal(reply.headers['www-authenticate'], 'Bearer')
    t.match(reply.json(), { error: { code: 'TWR_REQUEST_UNAUTHENTICATED', message: String, hint: String } })
    t.notMatch(reply.body, KEY)
  }
  t.equal((await ask('nothing', '{not json')).statusCode, 401, 'a bad body of a stranger is not parsed')
  for (const right of [`Bearer ${KEY}`, `bearer  ${KEY}`, 'BEARER other']) {
    t.equal((await ask(right)).statusCode, 200, right)
  }
})

t.test('without any key there is no service', async t => {
  t.throws(() => service(t, { config: settings({ TWINRULE_API_KEYS: ' , ' }) }), { code: 'TWR_CONFIG' })
})

t.test('a body that is no question is 400 and says where', async t => {
  const app = service(t)
  const good = question(users.ada, 'read', 1)
  const cases: [name: string, body: unknown, path: string | undefined][] = [
    ['empty', '', undefined],
    ['not JSON', '{"a":', undefined],
    ['a list', [], ''],
    ['a string', '"x"', ''],
    ['null', 'null', ''],
    ['no subject', { ...good, subject: undefined }, '/subject'],
    ['subject null', { ...good, subject: null }, '/subject'],
    ['subject a list', { ...good, subject: ['user', users.ada] }, '/subject'],
    ['no subject id', { ...good, subject: { type: 'user' } }, '/subject/id'],
    ['id a number', { ...good, subject: { type: 'user', id: 7 } }, '/subject/id'],
    ['id null', { ...good, subject: { type: 'user', id: null } }, '/subject/id'],
    ['id a list', { ...good, subject: { type: 'user', id: [users.ada] } }, '/subject/id'],
    ['id too long', { ...good, subject: { type: 'user', id: 'x'.repeat(257) } }, '/subject/id'],
    ['no action name', { ...good, action: {} }, '/action/name'],
    ['action a string', { ...good, action: 'read' }, '/action'],
    ['name a number', { ...good, action: { name: 123 } }, '/action/name'],
    ['resource type a boolean', { ...good, resource: { type: true, id: 'x' } }, '/resource/type'],
    [
      'properties a list',
      { ...good, resource: { ...good.resource, properties: [] } },
      '/resource/properties'
    ],
    ['properties null', { ...good, subject: { ...good.subject, properties: null } }, '/subject/properties'],
    ['context a string', { ...good, context: 'x' }, '/context'],
    ['evaluations an object', { ...good, evaluations: {} }, '/evaluations'],
    ['evaluations a string', { ...good, evaluations: 'x' }, '/evaluations'],
    ['options a list', { evaluations: [good], options: [] }, '/options'],
    [
      'unknown semantic',
      { evaluations: [good], options: { evaluations_semantic: 'any' } },
      '/options/evaluations_semantic'
    ],
    ['no items and nothing beside them', { evaluations: [] }, '/subject'],
    [
      'a name twice',
      `{"subject":{"type":"user","id":"a","id":"${users.root}"},"action":{"name":"read"},"resource":{"type":"agent","id":"x"}}`,
      undefined
    ],
    ['a name twice, escaped', '{"subject":1,"subj\\u0065ct":2}', undefined],
    ['__proto__', '{"__proto__":{"subject":1}}', undefined],
    ['__proto__, escaped and deep', '{"context":{"a":[{"\\u005f_proto__":{}}]}}', undefined],
    ['constructor', '{"context":{"constructor":{"prototype":{}}}}', undefined],
    ['constructor as a scalar', '{"context":{"constructor":1}}', undefined],
    ['100,000 deep lists', `{"context":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, undefined],
    ['100,000 deep objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, undefined],
    ['lists that never close', '['.repeat(500_000), undefined]
  ]
  for (const [name, body, path] of cases) {
    const reply = await post(app, body)
    t.equal(reply.status, 400, name)
    t.match(reply.body, { error: { code: 'TWR_REQUEST_INVALID', message: String } }, name)
    t.equal(reply.body.error.path, path, name)
    t.equal(reply.body.decision, undefined)
  }
})

t.test('bytes, types and sizes that are refused', async t => {
  const app = service(t, { config: settings({ TWINRULE_MAX_BATCH: '3' }) })
  const payload = JSON.stringify(question(users.ada, 'read', 1))
  const send = (given: Record<string, string>, body: string | Buffer = payload) =>
    app.inject({
      method: 'POST',
      url: '/authorize',
      headers: { authorization: `Bearer ${KEY}`, ...given },
      payload: body
    })
  for (const type of [
    'text/plain',
    'application/jsonp',
    'application/json-patch+json',
    'nonsense',
    'application/x-www-form-urlencoded'
  ]) {
    const reply = await send({ 'content-type': type })
    t.equal(reply.statusCode, 400, type)
    t.match(reply.json().error, { code: 'TWR_REQUEST_INVALID', hint: /application\/json/ })
  }
  t.equal((await send({ 'content-type': '' })).statusCode, 400)
  t.equal(
    (await app.inject({ method: 'POST', url: '/authorize', headers: { authorization: `Bearer ${KEY}` } }))
      .statusCode,
    400,
    'no body at all'
  )
  t.equal((await send({ 'content-type': 'application/json; charset=utf-8' })).statusCode, 200)
  t.equal((await send({ 'content-type': 'Application/JSON' })).statusCode, 200)
  const latin = Buffer.from(payload.replace('agent', 'ag\u00e9nt'), 'latin1')
  t.equal((await send({ 'content-type': 'application/json' }, latin)).statusCode, 400, 'not UTF-8')
  const large = await send(
    { 'content-type': 'application/json' },
    `{"context":{"a":"${'x'.repeat(1024 * 1024)}"}}`
  )
  t.equal(large.statusCode, 413)
  t.equal(large.json().error.code, 'TWR_REQUEST_TOO_LARGE')
  const four = await post(app, { evaluations: [{}, {}, {}, {}] })
  t.equal(four.status, 400)
  t.match(four.body.error.message, /3 items/)
})

t.test('the request id comes back unchanged on every answer', async t => {
  const app = service(t)
  const id = 'a b/"ü"~\t!'
  const ask = async (method: 'GET' | 'POST', url: string, extra: Record<string, string> = {}, payload = '') =>
    app.inject({ method, url, headers: { 'x-request-id': id, ...extra }, payload })
  const replies = [
    await ask('POST', '/authorize', headers, JSON.stringify(question(users.ada, 'read', 1))),
    await ask('POST', '/authorize', headers, '{'),
    await ask('POST', '/authorize'),
    await ask('GET', '/health/live'),
    await ask('GET', '/nowhere'),
    await ask('GET', '/authorize'),
    await ask('GET', '/%E0%A4%A')
  ]
  t.strictSame(
    replies.map(reply => reply.statusCode),
    [200, 400, 401, 200, 404, 405, 400]
  )
  for (const reply of replies) {
    t.equal(reply.headers['x-request-id'], id)
    t.equal(reply.headers['cache-control'], 'no-store')
    t.match(reply.headers['content-type'], /^application\/json/)
  }
  const own = await app.inject({ url: '/health/live' })
  t.match(own.headers['x-request-id'], /^[0-9a-f-]{36}$/, 'a caller without one gets one')
})

t.test('unknown paths and methods are told apart', async t => {
  const app = service(t)
  const nowhere = await app.inject({ method: 'POST', url: '/authorize/', headers, payload: '{}' })
  t.equal(nowhere.statusCode, 404)
  t.equal(nowhere.json().error.code, 'TWR_REQUEST_NOT_FOUND')
  const wrong = await app.inject({ method: 'PUT', url: '/authorize?x=1', headers, payload: '{}' })
  t.equal(wrong.statusCode, 405)
  t.equal(wrong.json().error.code, 'TWR_REQUEST_METHOD')
  t.equal(wrong.headers['allow'], 'POST')
  t.equal((await app.inject({ method: 'POST', url: '/health/live' })).headers['allow'], 'GET, HEAD')
})

t.test('the log has one line for a request and none of its values', async t => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const app = service(t, { logger: { level: 'trace', stream } })
  await app.ready()
  t.ok(
    lines.some(line => /fewer than 16/.test(line)),
    'a short key is worth a warning'
  )
  lines.length = 0
  const { body } = await post(app, {
    ...question(users.ada, 'read', 1),
    evaluations: [{}, { context: { secret: 'hush' } }]
  })
  t.equal(body.evaluations.length, 2)
  await post(app, '{"hush": ')
  t.equal(lines.length, 2)
  t.match(JSON.parse(lines[0] ?? ''), {
    requestId: String,
    method: 'POST',
    route: '/authorize',
    status: 200,
    decisions: 2,
    durationMs: Number
  })
  t.match(JSON.parse(lines[1] ?? ''), { status: 400, decisions: 0 })
  for (const secret of [KEY, users.ada, agent(1), 'hush']) t.notMatch(lines.join(''), secret)
})

t.test('unknown members are ignored and empty objects mean nothing', async t => {
  const app = service(t)
  const ask = question(users.ada, 'read', 1)
  const more = {
    ...ask,
    extra: [1],
    decision: false,
    subject: { ...ask.subject, extra: 1, properties: {} },
    resource: { ...ask.resource, properties: {}, '@timestamp': {} },
    context: { 'quote "': 'a \\" : {{{ [', '\\': '\\', ':': ['"', '"'] },
    options: { other: 1 },
    evaluations: []
  }
  t.equal((await post(app, more)).body.decision, true)
})
