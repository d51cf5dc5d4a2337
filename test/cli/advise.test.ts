import t, { type Test } from 'tap'
import type { Advice } from '../../src/advise/advise.js'
import { conjuncts } from '../../src/advise/plan.js'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'
import { DEMO, demoDatabase, exampleBundle } from '../support/example.js'

const database = await demoDatabase(t, await exampleBundle())
const owner = await database.client()
t.teardown(() => owner.end())
// a table of its own size, with an index that only an operator that is not leakproof could use
await owner.query(`ALTER TABLE agents ADD COLUMN meta jsonb, ADD COLUMN ref int`)
await owner.query(
  `INSERT INTO agents (tenant_id, name, meta, ref)
   SELECT $1, 'agent ' || n, jsonb_build_object('n', n), n FROM generate_series(1, 20000) AS n`,
  [DEMO.acme]
)
await owner.query('CREATE INDEX agents_by_meta ON agents USING gin (meta)')
await owner.query('ANALYZE agents')

const state = async () =>
  (
    await owner.query(
      `SELECT (SELECT count(*) FROM agents)::int AS rows, (SELECT count(*) FROM pg_class)::int AS relations,
         (SELECT count(*) FROM pg_policy)::int AS policies, (SELECT count(*) FROM twinrule.context_keys)::int AS keys`
    )
  ).rows[0] as unknown

async function advised(t: Test, sql: string, ...more: readonly string[]) {
  const file = `${t.testdir({ 'queries.sql': sql })}/queries.sql`
  const { io, out, err } = capture()
  const as = ['--as', `${DEMO.ada}:${DEMO.acme}`]
  const code = await run(['advise', file, ...as, '--database', database.url(), ...more], io)
  return { code, out: out(), err: err() }
}
const parsed = (out: string) => (JSON.parse(out) as { advice: Advice[] }).advice

t.test('an index that would help is measured on a copy, and nothing stays', async t => {
  const before = await state()
  const { code, out, err } = await advised(t, 'SELECT id FROM agents WHERE ref = 7;', '--format', 'json')
  t.equal(code, 0, err)
  const [one] = parsed(out)
  t.match(one?.scans, [{ table: 'public.agents', kept: 1 }])
  t.ok((one?.scans[0]?.read ?? 0) > 20_000, 'all rows are read')
  t.ok(one?.scans[0]?.policyTests.length, 'the tests of the policies are told from those of the statement')
  t.strictSame(one?.scans[0]?.ownTests, ['agents.ref = 7'])
  const [best] = one?.indexes ?? []
  t.match(best?.create, /^CREATE INDEX CONCURRENTLY ON public\.agents \((tenant_id, )?ref\);$/)
  t.ok(best !== undefined && best.after * 1.5 < best.before && best.whole)
  t.strictSame(await state(), before)
  await owner.query(best?.create ?? '')
  const again = parsed((await advised(t, 'SELECT id FROM agents WHERE ref = 7', '--format', 'json')).out)
  t.strictSame(again[0]?.indexes, [])
  t.match(again[0]?.scans[0]?.indexes, [/agents_.*ref/])
})

t.test('a test whose operator is not leakproof cannot use its index', async t => {
  const { out } = await advised(t, `SELECT id FROM agents WHERE meta @> '{"n": 7}'`, '--format', 'json')
  t.match(parsed(out)[0]?.blocked, [{ index: 'agents_by_meta', operator: '@> (jsonb_contains)' }])
  const text = (await advised(t, `SELECT id FROM agents WHERE meta @> '{"n": 7}'`)).out
  t.match(text, /index not used: agents_by_meta on agents/)
  t.match(text, /the operator @> \(jsonb_contains\) is not leakproof/)
  t.ok(text.split('\n').every(line => line.length <= 110))
  const free = await advised(t, `SELECT id FROM agents WHERE id = '${DEMO.agent(1)}'`, '--format', 'json')
  t.strictSame(parsed(free.out)[0]?.blocked, [])
})

t.test('a statement can change nothing', async t => {
  const before = await state()
  const writing = `WITH gone AS (DELETE FROM agents RETURNING id) SELECT * FROM gone; DELETE FROM agents; COMMIT;`
  const { code, out, err } = await advised(t, writing)
  t.equal(code, 1)
  t.match(out, /not explained: cannot execute \w+ in a read-only transaction/)
  t.match(err, /2 statements are no SELECT/)
  t.strictSame(await state(), before)
})

t.test('statements with values that are not known are explained and not run', async t => {
  const { code, out } = await advised(t, 'SELECT id FROM agents WHERE meta @> $1 AND name = $2')
  t.equal(code, 0)
  t.match(out, /not run/)
  t.match(out, /index not used: agents_by_meta/)
})

const { rowCount } = await owner.query(
  "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'"
)
const contrib = rowCount === 1 ? {} : { skip: 'this PostgreSQL has no pg_stat_statements' }

t.test('the busiest statements of applications are explained and never run', contrib, async t => {
  await owner.query("BEGIN; SET LOCAL twinrule.allow_unprotected = 'on'")
  await owner.query('CREATE EXTENSION pg_stat_statements; COMMIT')
  t.teardown(() => owner.query('DROP EXTENSION pg_stat_statements'))
  // what the server would have counted, if its library had been loaded at the start
  const { rows } = await owner.query<{ columns: string }>(
    `SELECT string_agg(CASE attname WHEN 'userid' THEN '(SELECT oid FROM pg_roles WHERE rolname = u)' WHEN 'query' THEN 'q' WHEN 'total_exec_time' THEN 't::double precision'
       WHEN 'dbid' THEN '(SELECT oid FROM pg_database WHERE datname = current_database())'
       ELSE 'NULL::' || format_type(atttypid, NULL) END || ' AS ' || attname, ', ' ORDER BY attnum) AS columns
     FROM pg_attribute WHERE attrelid = 'pg_stat_statements'::regclass AND attnum > 0`
  )
  await owner.query(`CREATE OR REPLACE VIEW pg_stat_statements AS SELECT ${rows[0]?.columns} FROM (VALUES
    ('twinrule_app', 'SELECT id FROM agents WHERE meta @> $1', 9),
    ('twinrule_app', 'SELECT count(*) FROM agents', 8),
    ('twinrule_app', 'SELECT twinrule.set_tenant_context($1)', 7),
    ('twinrule_app', 'UPDATE agents SET name = $1', 6),
    ('twinrule_service', 'SELECT 1', 5)) AS known(u, q, t)`)
  const { io, out } = capture()
  const args = [
    'advise',
    '--as',
    `${DEMO.ada}:${DEMO.acme}`,
    '--database',
    database.url(),
    '--format',
    'json'
  ]
  t.equal(await run(args, io), 0)
  t.match(parsed(out()), [
    {
      statement: 'SELECT id FROM agents WHERE meta @> $1',
      execution: null,
      blocked: [{ index: 'agents_by_meta' }]
    },
    { statement: 'SELECT count(*) FROM agents', execution: null, indexes: [] }
  ])
  t.equal(parsed(out()).length, 2)
})

t.test('what cannot be looked at is said', async t => {
  t.match(await advised(t, 'SELECT FROM WHERE'), { code: 2, err: /cannot be read: syntax error/ })
  t.match(await advised(t, 'DELETE FROM agents'), { code: 2, err: /no SELECT statements/ })
  const { io, err } = capture()
  const args = ['advise', '--as', `${DEMO.ada}:${DEMO.acme}`, '--database', database.url()]
  t.equal(await run(args, io), 2)
  t.match(err(), /pg_stat_statements is not installed/)
  t.equal(await run(['advise', '--as', 'ada', '--database', database.url()], capture().io), 2)
})

t.test('the parts of a filter are told apart', async t => {
  t.strictSame(
    conjuncts("((a = 'x AND y'::text) AND CASE WHEN b THEN (c AND d) ELSE false END AND (e = 1))"),
    ["a = 'x AND y'::text", 'CASE WHEN b THEN (c AND d) ELSE false END', 'e = 1']
  )
})
