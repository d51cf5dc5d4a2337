import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { startServer } from '../../src/server/start.js'
import { engine, fakeFacts, headers, KEY, question, service, settings, users } from './service.js'

const ask = question(users.ada, 'read', 1)
const later = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

/** A reader whose reads wait until they are let go. */
function heldFacts() {
  const healthy = fakeFacts()
  const waiting: { resume: () => void; requests: number }[] = []
  const facts = fakeFacts({
    read: query =>
      // requests that come together are read together; each asks about one subject
      new Promise<void>(resume => void waiting.push({ resume, requests: query.subjects.length })).then(() =>
        healthy.read(query)
      )
  })
  const waitFor = async (n: number): Promise<void> => {
    while (waiting.reduce((sum, { requests }) => sum + requests, 0) < n) await later(5)
  }
  return { facts, waitFor, release: () => waiting.splice(0).forEach(({ resume }) => void resume()) }
}

async function listening(t: Test, app: FastifyInstance): Promise<string> {
  t.teardown(() => app.close())
  return app.listen({ host: '127.0.0.1', port: 0 })
}

const send = (base: string, signal?: AbortSignal) =>
  fetch(`${base}/authorize`, {
    method: 'POST',
    headers,
    body: JSON.stringify(ask),
    ...(signal ? { signal } : {})
  })

t.test('requests over the cap are sent away; those that end or go away make room exactly once', async t => {
  const { facts, waitFor, release } = heldFacts()
  const app = service(t, {
    facts,
    config: settings({ TWINRULE_MAX_IN_FLIGHT: '2', TWINRULE_FACTS_TIMEOUT_MS: '5000' })
  })
  const base = await listening(t, app)
  for (let round = 0; round < 3; round++) {
    const gone = new AbortController()
    const aborted = [send(base, gone.signal), send(base, gone.signal)].map(one => one.catch(() => null))
    await waitFor(2)
    gone.abort()
    await Promise.all(aborted)
    await later(30)
    // their reads still run, but nobody waits for them
    const next = [send(base), send(base)]
    await waitFor(4)
    release()
    for (const reply of await Promise.all(next)) t.equal(reply.status, 200)
    await later(30)
  }
  for (let round = 0; round < 2; round++) {
    const held = [send(base), send(base)]
    await waitFor(2)
    const third = await send(base)
    t.equal(third.status, 503)
    t.equal(third.headers.get('retry-after'), '1')
    t.match(await third.json(), { error: { code: 'TWR_REQUEST_OVERLOADED' } })
    t.equal((await fetch(`${base}/authorize`, { method: 'POST' })).status, 401, 'a stranger takes no place')
    t.equal((await fetch(`${base}/health/live`)).status, 200)
    release()
    for (const reply of await Promise.all(held)) t.match(await reply.json(), { decision: true })
    await later(30)
  }
})

t.test('closing answers what is in flight, turns readiness red, then lets the database go', async t => {
  const { facts, waitFor, release } = heldFacts()
  const app = service(t, { facts, config: settings({ TWINRULE_FACTS_TIMEOUT_MS: '5000' }) })
  const base = await listening(t, app)
  const inFlight = send(base)
  await waitFor(1)
  // a request whose headers are half sent keeps its connection open while the listener closes
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n')
  await later(30)
  const closed = app.close()
  await later(30)
  t.equal(facts.closed, 0, 'not while a request needs it')
  await t.rejects(fetch(`${base}/health/live`), 'no new connections')
  socket.write('\r\n')
  const [ready] = await once(socket, 'data')
  t.match(String(ready), /^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*TWR_REQUEST_DRAINING/i)
  release()
  const reply = await inFlight
  t.equal(reply.headers.get('connection'), 'close')
  t.match(await reply.json(), { decision: true })
  await closed
  t.equal(facts.closed, 1)
})

t.test('a database that does not close holds nobody up', async t => {
  const app = service(t, { facts: fakeFacts({ close: () => new Promise(() => {}) }) })
  await app.ready()
  const startedAt = performance.now()
  await app.close()
  t.ok(performance.now() - startedAt < 4000)
})

t.test('bytes that are no HTTP request get an error in the same format', async t => {
  const app = service(t)
  await listening(t, app)
  const { port } = app.server.address() as AddressInfo
  const raw = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    let reply = ''
    socket.on('data', data => {
      reply += String(data)
    })
    socket.write(text)
    await once(socket, 'close')
    return reply
  }
  const huge = await raw(`GET /health/live HTTP/1.1\r\nHost: x\r\nX-Huge: ${'x'.repeat(20_000)}\r\n\r\n`)
  t.match(huge, /^HTTP\/1\.1 431 [\s\S]*"code":"TWR_REQUEST_TOO_LARGE"/)
  t.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"code":"TWR_REQUEST_INVALID"/)
  const smuggled = `POST /authorize HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  t.match(await raw(smuggled), /^HTTP\/1\.1 400 /)
})

t.test('a port that is taken is a mistake in the settings, and the database is let go', async t => {
  const app = service(t)
  await listening(t, app)
  const facts = fakeFacts()
  const { port } = app.server.address() as AddressInfo
  const config = { ...settings(), host: '127.0.0.1', port }
  await t.rejects(startServer({ engine, facts, config, logger: false }), {
    code: 'TWR_CONFIG',
    message: /PORT.*EADDRINUSE/
  })
  t.equal(facts.closed, 1)
})

t.test('a started service closes without ending the process, and leaves no listener behind', async t => {
  const before = process.listenerCount('SIGTERM')
  const facts = fakeFacts()
  const server = await startServer({
    engine,
    facts,
    config: { ...settings(), host: '127.0.0.1', port: 0 },
    logger: false
  })
  t.match(server.address, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.match(await (await send(server.address)).json(), { decision: true })
  await server.close()
  t.equal(facts.closed, 1)
  t.equal(process.listenerCount('SIGTERM'), before)
})
