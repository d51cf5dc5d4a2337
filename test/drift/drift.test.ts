import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import type pg from 'pg'
import t from 'tap'
import { recordCatalog } from '../../src/db/catalog/record.js'
import { createDriftCheck } from '../../src/drift/check.js'
import type { DriftReport } from '../../src/drift/finding.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { policyText, TABLE } from '../agreement/arbitraries.js'
import { createDatabase, type Postgres } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { CHANGES } from './changes.js'

const bundle = await exampleBundle()
const MODELS = { maxModels: 200_000 }
/** One check for all, as the service has it; what it remembers must not show. */
const check = createDriftCheck(bundle, MODELS)
const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const named = ({ findings }: DriftReport) => findings.map(({ code, object }) => `${code} ${object}`)

/** Random policies on each server: the other one is the slower half of this file. */
const SERVERS: readonly (readonly [Postgres, number])[] = [
  ['usual', 12],
  ['registry', 6]
]

async function majorOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query("SELECT current_setting('server_version_num')::int / 10000 AS major")
  return `PostgreSQL ${rows[0].major}`
}

for (const [server, policies] of SERVERS) {
  t.test(`on the ${server} server`, async t => {
    const database = await demoDatabase(t, bundle, server)
    const owner = await database.client()
    const service = await database.client('twinrule_service')
    const major = await majorOf(owner)
    await owner.query('CREATE ROLE reporting; CREATE TABLE everything (LIKE agents)')
    // what the guard refuses is found all the same where it was not on guard
    await owner.query("SET twinrule.allow_unprotected = 'on'")
    t.teardown(async () => {
      await owner.query('DROP ROLE reporting')
      await Promise.all([owner.end(), service.end()])
    })
    /** The look at a change that is then taken back. */
    const after = async (change: string): Promise<DriftReport> => {
      await owner.query('BEGIN')
      try {
        await owner.query(change)
        return await check(owner)
      } finally {
        await owner.query('ROLLBACK')
      }
    }

    t.test(`nothing on an untouched database, ${major}`, async t => {
      for (const client of [owner, service]) {
        const { findings, notes, installed } = await createDriftCheck(bundle, MODELS)(client)
        t.same([findings, notes, installed], [[], [], bundle.revision])
      }
    })

    t.test(`each of ${CHANGES.length} changes by hand, ${major}`, async t => {
      for (const [change, code, object] of CHANGES) {
        const found = named(await after(change))
        t.ok(found.includes(`${code} ${object}`), `${change.slice(0, 90)}: ${found.join(', ') || 'nothing'}`)
        t.ok(found.length <= 8, `${change.slice(0, 90)}: not more than was done, ${found.length}`)
      }
      t.same((await check(owner)).findings, [], 'and nothing when it is taken back')
    })

    t.test(`a policy of another text is judged by what it means, ${major}`, async t => {
      const policy = (open: string, guard: string) =>
        `${open} AND CASE WHEN (SELECT twinrule.get_current_user_id()) IS NULL THEN false WHEN ${guard} THEN true ELSE false END`
      const open = '(deleted_at IS NULL AND twinrule.claimed_tenant_id() = tenant_id)'
      const guard = '(deleted_at IS NULL AND (SELECT twinrule.context_tenant_id()) = tenant_id)'
      const put = (using: string) => after(`ALTER POLICY twinrule_tools_delete ON tools USING (${using})`)
      const rewritten = await put(policy(open, guard))
      t.match(rewritten, {
        findings: [],
        notes: [/twinrule_tools_delete ON public.tools .*decides the same/]
      })
      const wider = await put(policy(`(${open} OR is_shared)`, `(${guard} OR is_shared)`))
      t.match(wider.findings, [
        {
          message: /decides otherwise than the rules/,
          expected: /context_tenant_id/,
          found: /is_shared/,
          counterexample: { row: { is_shared: true }, says: { reference: false, 'SQL twinrule_app': true } }
        }
      ])
      const odd = await put(`${policy(open, guard)} AND 'x' = 'x'`)
      t.match(odd.findings, [{ message: /not proved to decide the same/, counterexample: null }])
    })

    t.test(`random policies leave nothing to find, ${major}`, async t => {
      t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
      const other = await createDatabase(t, server)
      const admin = await other.client()
      t.teardown(() => admin.end())
      await admin.query(TABLE)
      for (let seed = SEED, done = 0; done < policies; seed++) {
        const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
        const { bundle: random } = loadTexts({ 'random.yaml': text })
        if (random === null) continue
        await migrate({ database: other.url(), bundle: random })
        const { findings, notes } = await createDriftCheck(random, MODELS)(admin)
        t.same([findings, notes], [[], []], `seed ${seed}: ${text}`)
        done++
      }
    })
  })
}

t.test('the record is not believed: changes that were written into it are found', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  for (const [change, finding] of [
    [
      'ALTER POLICY twinrule_agents_select ON agents USING (true)',
      'TWR_DRIFT_POLICY twinrule_agents_select ON public.agents'
    ],
    ['CREATE POLICY everyone ON tools USING (true)', 'TWR_DRIFT_POLICY everyone ON public.tools'],
    ['ALTER TABLE agents NO FORCE ROW LEVEL SECURITY', 'TWR_DRIFT_TABLE public.agents'],
    ['GRANT TRUNCATE ON agents TO twinrule_app', 'TWR_DRIFT_GRANT public.agents'],
    ['GRANT SELECT ON twinrule.state TO PUBLIC', 'TWR_DRIFT_GRANT twinrule.state'],
    ['GRANT SELECT ON twinrule.context_keys TO twinrule_app', 'TWR_DRIFT_GRANT twinrule.context_keys'],
    ['GRANT UPDATE (id) ON agents TO twinrule_app', 'TWR_DRIFT_GRANT public.agents'],
    [
      'ALTER FUNCTION twinrule.get_current_tenant_id() IMMUTABLE',
      'TWR_DRIFT_FUNCTION twinrule.get_current_tenant_id()'
    ],
    [
      "CREATE FUNCTION twinrule.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      'TWR_DRIFT_FUNCTION twinrule.mine()'
    ],
    [
      'DROP TRIGGER "A_twinrule_agents_columns" ON agents',
      'TWR_DRIFT_TRIGGER A_twinrule_agents_columns ON public.agents'
    ],
    ['DROP EVENT TRIGGER twinrule_guard_new_tables', 'TWR_DRIFT_TRIGGER twinrule_guard_new_tables'],
    ['ALTER ROLE twinrule_app BYPASSRLS', 'TWR_DRIFT_ROLE twinrule_app'],
    ['GRANT twinrule_context TO twinrule_app', 'TWR_DRIFT_ROLE twinrule_app IN twinrule_context']
  ] as const) {
    await owner.query("BEGIN; SET LOCAL twinrule.allow_unprotected = 'on'")
    await owner.query(change)
    await recordCatalog(owner, bundle)
    const report = await check(owner)
    await owner.query('ROLLBACK')
    t.ok(named(report).includes(finding), `${change}: ${named(report).join(', ')}`)
    t.ok(
      named(report).some(one => one.startsWith('TWR_DRIFT_RECORD')),
      'and so is the record'
    )
  }
})

t.test('the next migration puts back what was changed, and writes down what it lets stand', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  await owner.query("SET twinrule.allow_unprotected = 'on'")
  await owner.query(`ALTER POLICY twinrule_agents_select ON agents USING (true); DROP FUNCTION twinrule.has_tenant_access(uuid);
    GRANT TRUNCATE ON agents TO twinrule_app; ALTER TABLE tools NO FORCE ROW LEVEL SECURITY; DROP INDEX tools_by_tenant;
    CREATE TABLE countries (code text PRIMARY KEY); GRANT SELECT ON countries TO twinrule_app`)
  const before = await check(owner)
  t.same(new Set(before.findings.map(({ severity }) => severity)), new Set(['error', 'warning']))
  t.same(before.findings.at(-1)?.code, 'TWR_DRIFT_INDEX', 'the warnings come last')
  await migrate({ database: owner, bundle })
  const report = await check(owner)
  t.match(report, { findings: [], notes: [/^applications reach public.countries outside/] })
})

t.test('relations to plain tables and to other resources leave nothing to find', async t => {
  const { bundle: collaboration } = await loadFolder('examples/collaboration/policies')
  if (collaboration === null) throw new Error('the example does not compile')
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  await owner.query(await readFile('examples/collaboration/tables.sql', 'utf8'))
  await migrate({ database: owner, bundle: collaboration })
  const look = createDriftCheck(collaboration, MODELS)
  t.match(await look(owner), { findings: [], notes: [] })
  await owner.query(
    'GRANT INSERT ON document_shares TO twinrule_app; GRANT SELECT ON document_shares TO PUBLIC'
  )
  t.same(
    (await look(owner)).findings.map(({ property }) => property),
    ['INSERT twinrule_app', 'SELECT PUBLIC']
  )
  t.match(named(await check(owner)), ['TWR_DRIFT_REVISION revision'], 'another policy than the migrated one')
})
