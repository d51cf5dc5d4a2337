import { execFile } from 'node:child_process'
import { cpSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { bannerText } from '../../src/cli/serve/banner.js'
import { lockFolder } from '../../src/cli/serve/folder-lock.js'
import { startService } from '../../src/cli/serve/service.js'
import { capture } from '../support/capture.js'
import { createDatabase, TEST_PASSWORD } from '../support/cluster.js'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')
const QUIET = { PORT: '0', LOG_LEVEL: 'silent' }

async function serve(argv: readonly string[], env: Record<string, string>) {
  const { io, out, err } = capture({ ...QUIET, ...env })
  const code = await run(['serve', '--policies', POLICIES, ...argv], io)
  return { code, out: out(), err: err() }
}

async function ask(address: string, key: string, action: string) {
  const reply = await fetch(`${address}/authorize`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'user', id: '00000000-0000-0000-0001-00000000000b' },
      action: { name: action },
      resource: { type: 'agent', id: '00000000-0000-0000-0002-000000000002' }
    })
  })
  return { status: reply.status, ...((await reply.json()) as { decision?: boolean }) }
}

t.test('without DATABASE_URL: the printed requests work, and a second start keeps the data', async t => {
  const TWINRULE_DATA_DIR = join(t.testdir({}), 'deep', 'data')
  for (const start of ['first', 'second']) {
    const { io, out, err } = capture({ ...QUIET, TWINRULE_DATA_DIR })
    const server = await startService({ policies: POLICIES, demo: true }, io)
    const answers = []
    for (const [, line = ''] of out().matchAll(/^ {2}(curl .*)$/gm)) {
      answers.push(JSON.parse((await promisify(execFile)('/bin/sh', ['-c', line])).stdout))
    }
    t.match(answers, [{ decision: true }, { decision: false }], `${start} start`)
    t.equal(/loaded the demo data/.test(err()), start === 'first')
    const other = await serve(['--demo'], { TWINRULE_DATA_DIR })
    t.match(other, { code: 2, err: /TWR_CONFIG_EMBEDDED process \d+ uses the embedded database/ })
    await server.close()
    t.notOk(existsSync(`${TWINRULE_DATA_DIR}.lock`), 'the folder is free again')
  }
})

const OWN = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid! }
    rules: { owner: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
`

t.test('tables of migrations of your own, on the embedded database', async t => {
  const dir = t.testdir({ policies: { 'notes.yaml': OWN } })
  const migrations = join(dir, 'db')
  cpSync(join(POLICIES, '..', 'migrations'), migrations, { recursive: true })
  writeFileSync(
    join(migrations, '0003_notes.sql'),
    '-- Up Migration\nCREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL);\n-- Down Migration\nDROP TABLE notes;\n'
  )
  const env = { ...QUIET, TWINRULE_DATA_DIR: join(dir, 'data') }
  const { io, out, err } = capture(env)
  const server = await startService({ policies: join(dir, 'policies'), migrations, demo: true }, io)
  t.teardown(() => server.close())
  t.match(err(), /applied 0003_notes/)
  t.notMatch(out(), /curl|agent/, 'no request about a type that the policy does not have')
  t.match(out(), /\/authorize answers questions about note$/m)
  const useless = await serve(['--migrations', migrations], {
    DATABASE_URL: 'postgres://x',
    TWINRULE_API_KEYS: 'k'
  })
  t.match(useless, { code: 2, err: /TWR_CONFIG --migrations is for the embedded database/ })
})

t.test('the embedded database is refused in production, and nothing is written', async t => {
  const TWINRULE_DATA_DIR = join(t.testdir({}), 'data')
  const { code, err } = await serve([], { NODE_ENV: 'production', TWINRULE_DATA_DIR, TWINRULE_API_KEYS: 'k' })
  t.equal(code, 2)
  t.match(err, /^TWR_CONFIG_EMBEDDED [\s\S]*hint: set DATABASE_URL/)
  t.notOk(existsSync(`${TWINRULE_DATA_DIR}.lock`))
})

t.test('with DATABASE_URL', async t => {
  const database = await createDatabase(t)
  const url = database.url('twinrule_service')
  const key = { TWINRULE_API_KEYS: 'a-key-of-the-tests' }

  t.test('a database that is not migrated is refused', async t => {
    const { code, err } = await serve([], { ...key, DATABASE_URL: database.url() })
    t.equal(code, 78)
    t.match(err, /^TWR_DB_(UNSAFE_ROLE|NOT_MIGRATED) /)
  })

  const { io } = capture({ TWINRULE_SERVICE_PASSWORD: TEST_PASSWORD })
  await run(['migrate', '--policies', POLICIES, '--database', database.url(), '--demo'], io)

  t.test('answers from it, and does not print the key', async t => {
    const { io, out } = capture({ ...QUIET, ...key, DATABASE_URL: url })
    const server = await startService({ policies: POLICIES }, io)
    t.teardown(() => server.close())
    t.match(await ask(server.address, 'a-key-of-the-tests', 'read'), { status: 200, decision: true })
    t.match(await ask(server.address, 'a-key-of-the-tests', 'update'), { status: 200, decision: false })
    t.match(await ask(server.address, 'another-key', 'read'), { status: 401 })
    t.notMatch(out(), /a-key-of-the-tests|curl/)
  })

  t.test('an API key is needed', async t => {
    const { code, err } = await serve([], { DATABASE_URL: url })
    t.equal(code, 2)
    t.match(err, /^TWR_CONFIG TWINRULE_API_KEYS is not set/)
  })

  t.test('a powerful login is refused, with what to do', async t => {
    const { code, err } = await serve([], { ...key, DATABASE_URL: database.url() })
    t.equal(code, 78)
    t.match(err, /^TWR_DB_UNSAFE_ROLE [\s\S]*SUPERUSER[\s\S]*hint: /)
  })

  t.test('other policies than the migrated ones are refused', async t => {
    const dir = t.testdir({
      'a.yaml': 'version: 1\nprincipal: { id: uuid }\nresources: { note: { columns: { id: uuid! } } }\n'
    })
    const { io, err } = capture({ ...QUIET, ...key, DATABASE_URL: url })
    t.equal(await run(['serve', '--policies', dir], io), 78)
    t.match(err(), /^TWR_DB_NOT_MIGRATED /)
  })
})

t.test('a database that cannot be reached is exit code 3', async t => {
  const { code, err } = await serve([], {
    TWINRULE_API_KEYS: 'k',
    DATABASE_URL: 'postgres://twinrule_service:hunter2@127.0.0.1:1/app'
  })
  t.equal(code, 3)
  t.match(err, /^TWR_DB_UNREACHABLE /)
  t.notMatch(err, /hunter2/)
})

t.test('policies with mistakes are printed, exit code 1', async t => {
  const { io, err } = capture(QUIET)
  t.equal(await run(['serve', '--policies', t.testdir({ 'a.yaml': 'version: 2\n' })], io), 1)
  t.match(err(), /a\.yaml:1:\d+ TWR_POLICY_/)
})

t.test('without a database, when it is asked for', async t => {
  const { io, out, err } = capture({ ...QUIET, TWINRULE_API_KEYS: 'a-key-of-a-service' })
  const server = await startService({ policies: POLICIES, stateless: true }, io)
  t.teardown(() => server.close())
  t.match(out(), /database {3}none: callers bring all facts\n/)
  t.notMatch(out() + err(), /a-key-of-a-service|embedded/)
  t.match(await ask(server.address, 'a-key-of-a-service', 'read'), { status: 200, decision: false })
  t.match(await ask(server.address, 'another', 'read'), { status: 401 })
})

t.test('a stateless service takes neither a database nor a start without keys', async t => {
  const keys = { TWINRULE_API_KEYS: 'k' }
  const cases: [argv: readonly string[], env: Record<string, string>, problem: RegExp][] = [
    [[], {}, /^TWR_CONFIG TWINRULE_API_KEYS is not set\n/],
    [
      [],
      { ...keys, DATABASE_URL: 'postgres://x' },
      /^TWR_CONFIG --stateless reads no database, and DATABASE_URL is set\n/
    ],
    [['--migrations', 'db'], keys, /^TWR_CONFIG --stateless reads no database, and --migrations is given\n/],
    [['--demo'], keys, /^TWR_CONFIG --stateless reads no database, and --demo is given\n/]
  ]
  for (const [argv, env, problem] of cases) {
    const { code, out, err } = await serve(['--stateless', ...argv], env)
    t.strictSame([code, out], [2, ''])
    t.match(err, problem)
  }
})

t.test('the lock of a process that is gone is taken over', async t => {
  const folder = join(t.testdir({}), 'data')
  writeFileSync(`${folder}.lock`, '999999999')
  const unlock = await lockFolder(folder)
  await t.rejects(lockFolder(folder), { code: 'TWR_CONFIG_EMBEDDED' })
  unlock()
  t.notOk(existsSync(`${folder}.lock`))
})

t.test('a request to paste survives any key and any address', async t => {
  const text = bannerText({
    address: 'http://0.0.0.0:8080',
    revision: 'f'.repeat(64),
    database: 'embedded' as const,
    demo: true,
    types: ['agent'],
    key: "it's"
  })
  t.match(text, `curl -s -w '\\n' 'http://127.0.0.1:8080/authorize' -H 'authorization: Bearer it'\\''s'`)
})
