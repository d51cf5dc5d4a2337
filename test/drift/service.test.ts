import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { startService } from '../../src/cli/serve/service.js'
import { ownVersion } from '../../src/cli/version.js'
import { verifyDatabase } from '../../src/drift/verify.js'
import { capture } from '../support/capture.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
/** The interval of a second, and what a look takes on a machine that is busy with other tests. */
const IN_TIME_MS = 1000 + 9000
const base = {
  PORT: '0',
  LOG_LEVEL: 'silent',
  TWINRULE_API_KEYS: 'a-key-of-the-tests',
  TWINRULE_DRIFT_INTERVAL: '1'
}

async function ready(address: string): Promise<{ status: number; reasons: readonly string[] }> {
  const reply = await fetch(`${address}/health/ready`)
  const body = (await reply.json()) as { error?: { reasons?: readonly string[] } }
  return { status: reply.status, reasons: body.error?.reasons ?? [] }
}

/** Waits for a status, and says how long that took. */
async function until(address: string, status: number): Promise<{ reasons: readonly string[]; ms: number }> {
  const start = performance.now()
  for (;;) {
    const seen = await ready(address)
    const ms = performance.now() - start
    if (seen.status === status || ms > 20_000) return { reasons: seen.reasons, ms }
    await sleep(20)
  }
}

for (const server of ['usual', 'registry'] as const) {
  t.test(`a running service on the ${server} server says what was changed, and recovers`, async t => {
    const database = await demoDatabase(t, bundle, server)
    const owner = await database.client()
    // as the command leaves it; without this each look would be a complete one
    await verifyDatabase(owner, bundle, { version: ownVersion() })
    const url = database.url('twinrule_service', TEST_PASSWORD)
    const { io } = capture({ ...base, DATABASE_URL: url })
    const running = await startService({ policies: 'policies' }, io)
    t.teardown(async () => {
      await running.close()
      await owner.end()
    })
    t.same(await ready(running.address), { status: 200, reasons: [] })
    for (const [change, undo, reason] of [
      [
        'ALTER TABLE agents DISABLE ROW LEVEL SECURITY',
        'ALTER TABLE agents ENABLE ROW LEVEL SECURITY',
        /^TWR_DRIFT_TABLE .*public\.agents/
      ],
      [
        'CREATE POLICY everyone ON tools USING (true)',
        'DROP POLICY everyone ON tools',
        /^TWR_DRIFT_POLICY .*everyone/
      ],
      [
        'GRANT TRUNCATE ON tools TO twinrule_app',
        'REVOKE TRUNCATE ON tools FROM twinrule_app',
        /^TWR_DRIFT_GRANT .*TRUNCATE/
      ]
    ] as const) {
      await owner.query(change)
      const { reasons, ms } = await until(running.address, 503)
      t.match(reasons[0], reason)
      t.ok(ms < IN_TIME_MS, `${Math.round(ms)} ms after: ${change}`)
      await owner.query(undo)
      const { ms: back } = await until(running.address, 200)
      t.ok(back < IN_TIME_MS, `ready again after ${Math.round(back)} ms`)
    }
  })
}

t.test('a service does not start on a database that has drifted, and says what', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  await owner.query('ALTER POLICY twinrule_agents_select ON agents USING (true); DROP INDEX tools_by_tenant')
  const start = async () => {
    const { io, err } = capture({ ...base, DATABASE_URL: database.url('twinrule_service', TEST_PASSWORD) })
    return { code: await run(['serve', '--policies', 'policies'], io), err: err() }
  }
  const { code, err } = await start()
  t.equal(code, 78)
  t.match(
    err,
    /^TWR_DB_DRIFT the database is not what its last migration left: the policy twinrule_agents_select/
  )
  t.match(err, /hint: .*twinrule drift/)
  t.notMatch(err, /tools_by_tenant/, 'what makes it slower is no reason')
})
