import { join } from 'node:path'
import t from 'tap'
import { serviceUrl } from '../../src/cli/database-url.js'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'
import { createDatabase, TEST_PASSWORD } from '../support/cluster.js'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')

async function migrate(argv: readonly string[], env: Record<string, string> = {}) {
  const { io, out, err } = capture(env)
  const code = await run(['migrate', ...argv, '--policies', POLICIES], io)
  return { code, out: out(), err: err() }
}

t.test('up, then nothing to do, then down', async t => {
  const database = await createDatabase(t)
  const url = database.url()
  const env = { TWINRULE_SERVICE_PASSWORD: TEST_PASSWORD, TWINRULE_APP_PASSWORD: TEST_PASSWORD }
  const first = await migrate(['--database', url, '--demo'], env)
  t.equal(first.code, 0, first.err)
  t.match(first.out, /^applied 0001_tenancy\napplied 0002_\w+\napplied the access rules of revision /)
  t.match(first.out, /\nloaded the demo data\n$/)
  t.match(
    first.err,
    new RegExp(`DATABASE_URL=postgres://twinrule_service:PASSWORD@[^ ]*/${database.name}\n$`)
  )
  t.notMatch(first.out + first.err, TEST_PASSWORD, 'no password is printed')

  const second = await migrate(['up', '--demo'], { ...env, TWINRULE_MIGRATE_DATABASE_URL: url })
  t.match(second, { code: 0, out: '', err: /^nothing to do\n/ })

  const down = await migrate(['down', '--database', url, '--format', 'json'])
  t.equal(down.code, 0, down.err)
  t.match(JSON.parse(down.out), { direction: 'down', steps: ['removed the access rules'] })
})

t.test('the login of the service is never used to migrate', async t => {
  const { code, err } = await migrate([], { DATABASE_URL: 'postgres://twinrule_service@127.0.0.1/app' })
  t.equal(code, 2)
  t.match(err, /^TWR_CONFIG no database to migrate: --database and TWINRULE_MIGRATE_DATABASE_URL are not set/)
})

t.test('the help says whose login it needs', async t => {
  const { out } = await migrate(['--help'])
  t.match(out.replace(/\s+/g, ' '), /needs the login of a superuser/)
})

t.test('flags of the other direction are refused', async t => {
  t.match(await migrate(['up', '--count', '2', '--database', 'postgres://x']), { code: 2, err: /--count/ })
  t.match(await migrate(['down', '--demo', '--database', 'postgres://x']), { code: 2, err: /--demo/ })
  t.match(await migrate(['down', '--count', '0', '--database', 'postgres://x']), { code: 2, err: /--count/ })
})

t.test('a database that cannot be reached is exit code 3', async t => {
  const { code, err } = await migrate(['--database', 'postgres://postgres:hunter2@127.0.0.1:1/app'])
  t.equal(code, 3)
  t.match(err, /^TWR_DB_UNREACHABLE /)
  t.notMatch(err, /hunter2/)
})

t.test('policies with mistakes are not migrated to', async t => {
  const { io, err } = capture()
  const dir = t.testdir({ 'a.yaml': 'version: 2\n' })
  t.equal(await run(['migrate', '--policies', dir, '--database', 'postgres://127.0.0.1:1/x'], io), 1)
  t.match(err(), /a\.yaml:1:\d+ TWR_POLICY_/)
})

t.test('the URL of the service has nothing of the other login', async t => {
  const url = serviceUrl('postgres://admin:hunter2@db.example:6543/app?sslmode=verify-full&password=hunter3')
  t.equal(url, 'postgres://twinrule_service:PASSWORD@db.example:6543/app?sslmode=verify-full')
  t.equal(serviceUrl('no url'), 'postgres://twinrule_service:PASSWORD@HOST/DATABASE')
})
