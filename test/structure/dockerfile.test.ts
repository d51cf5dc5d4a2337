import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDatabase } from '../support/cluster.js'
import { allowedByIgnore, envOf, execForm, lastOf, parseDockerfile } from '../support/dockerfile.js'
import { createReplay } from '../support/replay.js'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')
const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
const [build, runtime, ...more] = parseDockerfile(read('Dockerfile'))
if (build === undefined || runtime === undefined) throw new Error('the Dockerfile has too few stages')
const command = execForm(lastOf(runtime, 'CMD'))
const health = execForm(lastOf(runtime, 'HEALTHCHECK'))

t.test('the image', async t => {
  t.strictSame(more, [], 'has a build stage and a runtime stage')
  t.equal(runtime.image, 'node:20-slim', 'stands on a tagged, small image')
  t.equal(lastOf(runtime, 'USER'), 'node', 'runs as an unprivileged user')
  t.equal(lastOf(runtime, 'EXPOSE'), '8080', 'listens on 8080')
  t.match(envOf(runtime), { NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '8080' }, 'is set for production')
  t.strictSame(command, ['node', 'dist/cli/main.js', 'serve'], 'starts the service, without a shell')
  t.notMatch(read('Dockerfile'), /TWINRULE_API_KEYS=[^.]|DATABASE_URL=[^.]/, 'holds no secret')
})

t.test('every copied file is let through by .dockerignore', async t => {
  const allowed = allowedByIgnore(read('.dockerignore'))
  const copies = [...build.steps, ...runtime.steps].filter(
    ({ name, rest }) => name === 'COPY' && !rest.startsWith('--from')
  )
  for (const { rest } of copies) {
    for (const path of rest.split(' ').slice(0, -1)) t.ok(allowed.includes(path), path)
  }
})

t.test('the steps, replayed in empty folders as an unprivileged user', { timeout: 240_000 }, async t => {
  const replay = await createReplay(ROOT, read('.dockerignore'))
  t.teardown(() => replay.remove())
  await replay.build(build)
  await replay.build(runtime)
  const app = replay.folder(runtime, '/app')

  t.test('bring the program and no development tool', async t => {
    const allowed = ['LICENSE', 'dist', 'migrations', 'node_modules', 'package.json', 'policies', 'schema']
    t.strictSame(readdirSync(app).sort(), allowed)
    const installed = new Set(readdirSync(join(app, 'node_modules'), { recursive: true }).map(String))
    for (const name of Object.keys(manifest['devDependencies'] ?? {})) {
      if (!(name in (manifest['dependencies'] ?? {}))) t.notOk(installed.has(name), `no ${name}`)
    }
    for (const name of Object.keys(manifest['dependencies'] ?? {})) t.ok(installed.has(name), name)
  })

  t.test('start without DATABASE_URL ends with a configuration error', async t => {
    const { code, output } = await replay.run(runtime, command, { TWINRULE_API_KEYS: 'key' })
    t.equal(code, 2, output)
    t.match(output, /TWR_CONFIG_EMBEDDED/)
    t.match(output, /DATABASE_URL/)
  })

  t.test('check the policies that the image brings', async t => {
    t.match(await replay.run(runtime, ['node', 'dist/cli/main.js', 'check']), { code: 0 })
  })

  t.test('run the program by its name, as npx does in a checkout', async t => {
    t.match(await replay.run(runtime, ['dist/cli/main.js', 'check']), { code: 0 })
  })

  t.test('HEALTHCHECK follows the answer of the service', async t => {
    let status = 200
    const server = createServer((request, reply) => {
      reply.statusCode = request.url === '/health/ready' ? status : 404
      reply.end()
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const env = { PORT: String((server.address() as AddressInfo).port) }
    t.equal((await replay.run(runtime, health, env)).code, 0, 'ready')
    status = 503
    t.equal((await replay.run(runtime, health, env)).code, 1, 'not ready')
    await new Promise(resolve => server.close(resolve))
    t.equal((await replay.run(runtime, health, env)).code, 1, 'gone')
  })

  t.test('migrate a database and serve from it, healthy, until a signal', async t => {
    const database = await createDatabase(t)
    const program = ['node', 'dist/cli/main.js']
    const migrated = await replay.run(runtime, [...program, 'migrate', '--database', database.url()])
    t.equal(migrated.code, 0, migrated.output)

    const env = {
      DATABASE_URL: database.url('twinrule_service'),
      TWINRULE_API_KEYS: 'a-key-of-the-image',
      PORT: String(await freePort())
    }
    const service = replay.start(runtime, command, env)
    const ended = new Promise(resolve => service.once('close', resolve))
    t.teardown(() => service.kill('SIGKILL'))
    let check = { code: 1 as number | null }
    for (let tries = 0; tries < 40 && check.code !== 0 && service.exitCode === null; tries++) {
      await sleep(250)
      check = await replay.run(runtime, health, env)
    }
    t.equal(check.code, 0, 'healthy')
    service.kill('SIGTERM')
    t.equal(await ended, 0, 'ends in peace')
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
