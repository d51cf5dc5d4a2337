import t from 'tap'
import { run } from '../../src/cli/run.js'
import { startService } from '../../src/cli/serve/service.js'
import { oldServer } from '../../src/db/server-version.js'
import { capture } from '../support/capture.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { pretendVersion } from '../support/old-server.js'

const database = await demoDatabase(t, await exampleBundle())
const admin = await database.client()
const login = `login_${database.name}`
await admin.query(`CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD '${TEST_PASSWORD}'`)
const { rows: versions } = await admin.query("SELECT current_setting('server_version_num')::int AS it")
const version: number = versions[0].it
t.teardown(async () => {
  await admin.query(`REASSIGN OWNED BY ${login} TO CURRENT_USER; DROP OWNED BY ${login}; DROP ROLE ${login}`)
  await admin.end()
})

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A command line, until it ends. A service that starts is a failure here. */
async function twinrule(argv: readonly string[], env: Record<string, string>): Promise<Ended> {
  const { io, out, err } = capture(env)
  const code = await run(argv, io)
  return { code, out: out(), err: err() }
}

const SETTINGS = { PORT: '0', LOG_LEVEL: 'silent', TWINRULE_API_KEYS: 'a-key' }
const serve = (url: string): Promise<Ended> => twinrule(['serve'], { ...SETTINGS, DATABASE_URL: url })

/** One line that says what is wrong, one that says what to do, and nothing else. */
const refusal = (message: string) => new RegExp(`^${message}\\n *hint: .+\\n$`)

t.test('a login that could go around the policies ends the start with 78', async t => {
  const cases = [
    ['SELECT', database.url(), 'SELECT', 'it is SUPERUSER'],
    [`ALTER ROLE ${login} BYPASSRLS`, null, `ALTER ROLE ${login} NOBYPASSRLS`, 'it is BYPASSRLS'],
    [`ALTER ROLE ${login} CREATEROLE`, null, `ALTER ROLE ${login} NOCREATEROLE`, 'it is CREATEROLE'],
    [
      `ALTER TABLE tools OWNER TO ${login}`,
      null,
      'ALTER TABLE tools OWNER TO CURRENT_USER',
      'it can act as the owner of tools'
    ],
    [
      `ALTER TABLE user_roles OWNER TO ${login}`,
      null,
      'ALTER TABLE user_roles OWNER TO CURRENT_USER',
      'it can act as the owner of user_roles'
    ],
    [
      `GRANT twinrule_facts TO ${login}`,
      null,
      `REVOKE twinrule_facts FROM ${login}`,
      'it belongs to twinrule_facts'
    ],
    [
      `GRANT pg_read_server_files TO ${login}`,
      null,
      `REVOKE pg_read_server_files FROM ${login}`,
      'it belongs to pg_read_server_files'
    ]
  ] as const
  for (const [make, url, unmake, reason] of cases) {
    await admin.query(make)
    const { code, out, err } = await serve(url ?? database.url(login))
    await admin.query(unmake)
    t.equal(code, 78, reason)
    t.match(
      err,
      refusal(`TWR_DB_UNSAFE_ROLE the login [a-z0-9_]+ is not under the policies: [^\\n]*${reason}[^\\n]*`)
    )
    t.equal(out, '')
  }
})

t.test('a table that is not under its policies alone ends the start with 78', async t => {
  const cases = [
    [
      'ALTER TABLE prompts NO FORCE ROW LEVEL SECURITY',
      'ALTER TABLE prompts FORCE ROW LEVEL SECURITY',
      'tables without forced row-level security: prompts'
    ],
    [
      'ALTER TABLE tenants DISABLE ROW LEVEL SECURITY',
      'ALTER TABLE tenants ENABLE ROW LEVEL SECURITY',
      'tables without forced row-level security: tenants'
    ],
    [
      'CREATE POLICY "Mine" ON agents USING (true)',
      'DROP POLICY "Mine" ON agents',
      'policies that twinrule did not make: "Mine" on agents'
    ],
    [
      'CREATE POLICY less ON user_roles AS RESTRICTIVE USING (false)',
      'DROP POLICY less ON user_roles',
      'policies that twinrule did not make: less on user_roles'
    ],
    [
      'CREATE POLICY twinrule_tools_all ON tools USING (true)',
      'DROP POLICY twinrule_tools_all ON tools',
      'policies that twinrule did not make: twinrule_tools_all on tools'
    ]
  ] as const
  for (const [make, unmake, reason] of cases) {
    await admin.query(make)
    const { code, out, err } = await serve(database.url('twinrule_service'))
    await admin.query(unmake)
    t.equal(code, 78, reason)
    t.match(err, refusal(`TWR_DB_NOT_MIGRATED ${reason}`))
    t.equal(out, '')
  }
})

t.test(
  'a server with known holes is refused, by serve with 78 and by migrate with 3, unless it is allowed',
  async t => {
    const old = Math.floor(version / 10_000) * 10_000 + 1
    const proxy = await pretendVersion(database.url('twinrule_service'), version, old)
    const migrating = await pretendVersion(database.url(), version, old)
    t.teardown(() => [proxy, migrating].map(one => one.close()))
    const problem = `PostgreSQL ${(old / 10_000) | 0}.1 has known holes in row-level security, [0-9.]+ is the first release without them`
    const serving = await serve(proxy.url)
    t.equal(serving.code, 78)
    t.match(serving.err, refusal(`TWR_DB_OLD_SERVER ${problem}`))
    t.match(serving.err, /TWINRULE_ALLOW_OLD_POSTGRES=1/)
    const migrated = await twinrule(['migrate', '--database', migrating.url], {})
    t.equal(migrated.code, 3)
    t.match(migrated.err, refusal(`TWR_DB_MIGRATION ${problem}`))
    const allowed = { TWINRULE_ALLOW_OLD_POSTGRES: '1' }
    const { io, err } = capture({ ...SETTINGS, ...allowed, DATABASE_URL: proxy.url })
    const server = await startService({ policies: 'policies' }, io)
    await server.close()
    t.equal(err().split('\n')[0], `warning: ${migrated.err.split('\n')[0]?.replace('TWR_DB_MIGRATION ', '')}`)
    const again = await twinrule(['migrate', '--database', migrating.url], allowed)
    t.match(again, { code: 0, err: new RegExp(`^warning: ${problem}\\nnothing to do\\n`) })
  }
)

t.test('each line of PostgreSQL has its first release without known holes', async t => {
  for (const good of [140021, 150016, 150018, 160012, 170008, 180002, 190000, 200001])
    t.equal(oldServer(good), null)
  for (const [bad, first] of [
    [90624, '14.21'],
    [130023, '14.21'],
    [140020, '14.21'],
    [150015, '15.16'],
    [160011, '16.12'],
    [170007, '17.8'],
    [180000, '18.2']
  ] as const) {
    t.match(oldServer(bad), new RegExp(`, ${first} is the first`))
  }
})
