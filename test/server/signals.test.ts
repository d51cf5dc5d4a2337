import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { headers, question, users } from './service.js'

interface Child {
  readonly process: ChildProcess
  readonly address: string
  readonly lines: string[]
  readonly next: () => Promise<string>
  readonly log: () => string
}

async function child(t: Test, ...args: string[]): Promise<Child> {
  const command = ['--import', '@tapjs/typescript/import', 'test/server/child.ts', ...args]
  const running = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => running.kill('SIGKILL'))
  let log = ''
  running.stderr.on('data', data => {
    log += String(data)
  })
  const lines: string[] = []
  const reader = createInterface({ input: running.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value } = await reader.next()
    if (value === undefined) throw new Error(`the service ended: ${log}`)
    lines.push(value)
    return value
  }
  return { process: running, address: await next(), lines, next, log: () => log }
}

const send = (address: string) =>
  fetch(`${address}/authorize`, {
    method: 'POST',
    headers,
    body: JSON.stringify(question(users.ada, 'read', 1))
  })

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} lets requests in flight finish and ends with 0`, async t => {
    const service = await child(t)
    const inFlight = [send(service.address), send(service.address)]
    t.strictSame([await service.next(), await service.next()], ['reading', 'reading'])
    const startedAt = performance.now()
    service.process.kill(signal)
    for (const reply of await Promise.all(inFlight)) t.match(await reply.json(), { decision: true })
    t.equal(await service.next(), 'facts closed')
    const [code] = await once(service.process, 'exit')
    t.equal(code, 0)
    t.ok(performance.now() - startedAt < 3000, 'without waiting for idle connections')
    for (const line of service.log().trim().split('\n'))
      t.doesNotThrow(() => JSON.parse(line), 'the log is on stderr')
    t.match(service.log(), /"shutting down"[\s\S]*"stopped"/)
  })
}

t.test('a caller who stops sending does not keep the service from ending in time', async t => {
  const service = await child(t)
  const socket = connect(Number(new URL(service.address).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write('POST /authorize HTTP/1.1\r\nHost: x\r\n')
  const startedAt = performance.now()
  service.process.kill('SIGTERM')
  const [code] = await once(service.process, 'exit')
  t.equal(code, 0)
  t.ok(performance.now() - startedAt < 9000)
})

t.test('an error that nobody caught drains too and ends with 1', async t => {
  const service = await child(t, 'crash')
  const [code] = await once(service.process, 'exit')
  t.equal(code, 1)
  t.match(service.log(), /"level":60/)
  t.notMatch(service.log(), 'nobody caught this"')
})
