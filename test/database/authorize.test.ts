import t, { type Test } from 'tap'
import { createFactsReader } from '../../src/db/facts.js'
import { createPool } from '../../src/db/pool.js'
import { createEngine } from '../../src/engine/engine.js'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { post, service } from '../server/service.js'
import { createDatabase, type Database, TEST_PASSWORD } from '../support/cluster.js'
import { DEMO } from '../support/example.js'

const POLICY = `
version: 1
actions: { publish: { command: update }, draft: { command: create }, invoke: {} }
principal: { id: uuid, tenant_id: uuid }
macros: { mine: resource.tenant_id == principal.tenant_id }
traits:
  owned:
    immutable: [id]
    column_rules:
      - { columns: [tenant_id], when: 'false' }
    rules:
      owner: { allow: [read, create, update, delete, draft, invoke], when: mine }
      editor: { allow: [publish], when: mine && !resource.locked }
      locked: { forbid: [delete], when: resource.locked }
resources:
  note: { table: notes, use: [owned], columns: { id: text!, tenant_id: uuid!, locked: bool! } }
  counter: { table: counters, use: [owned], columns: { id: int!, tenant_id: uuid!, locked: bool! } }
`

function compiled(text: string): Bundle {
  const { bundle, problems } = loadTexts({ 'test.yaml': text })
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

const TABLES = `
CREATE TABLE notes (id text PRIMARY KEY, tenant_id uuid NOT NULL, locked boolean NOT NULL DEFAULT false);
INSERT INTO notes VALUES ('a/b ü', '${DEMO.acme}', false), ('A/B ü', '${DEMO.globex}', false), ('shut', '${DEMO.acme}', true);
CREATE TABLE counters (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, locked boolean NOT NULL DEFAULT false);
INSERT INTO counters VALUES (7, '${DEMO.acme}'), (-8, '${DEMO.globex}'), (9007199254740993, '${DEMO.acme}');
`

/** The service as it runs: over HTTP, on a pool of its own login. */
function serving(t: Test, database: Database, bundle: Bundle, lines: string[] = []) {
  const facts = createFactsReader(createPool(database.url('twinrule_service'), { size: 2 }))
  const logger = { level: 'info', stream: { write: (line: string) => void lines.push(line) } }
  return service(t, { engine: createEngine(bundle), facts, logger })
}

const ask = (
  type: string,
  id: string,
  name: string,
  more: { changes?: unknown; properties?: object } = {}
) => ({
  subject: { type: 'user', id: DEMO.ada },
  action: { name, ...(more.changes === undefined ? {} : { properties: { changes: more.changes } }) },
  resource: { type, id, ...(more.properties === undefined ? {} : { properties: more.properties }) }
})

const bundle = compiled(POLICY)

async function ownDatabase(t: Test): Promise<Database> {
  const database = await createDatabase(t)
  const client = await database.client()
  await client.query(TABLES)
  await client.end()
  await migrate({ database: database.url(), bundle, demo: true, passwords: { service: TEST_PASSWORD } })
  return database
}

t.test('rows are found by text and whole numbers, and added actions are decided', async t => {
  const app = serving(t, await ownDatabase(t), bundle)
  const mine = { tenant_id: DEMO.acme, locked: false }
  const cases: [question: ReturnType<typeof ask>, code: string][] = [
    [ask('note', 'a/b ü', 'read'), 'allowed'],
    [ask('note', 'A/B ü', 'read'), 'no_rule'],
    [ask('note', 'a/b', 'read'), 'no_row'],
    [ask('note', 'a/b ü\0', 'read'), 'no_row'],
    [ask('counter', '7', 'read'), 'allowed'],
    [ask('counter', '-8', 'read'), 'no_rule'],
    [ask('counter', '9007199254740993', 'read'), 'allowed'],
    [ask('counter', '9007199254740992', 'read'), 'no_row'],
    [ask('counter', '07', 'read'), 'no_row'],
    [ask('counter', '7.0', 'read'), 'no_row'],
    [ask('counter', '9223372036854775808', 'read'), 'no_row'],
    [ask('note', 'a/b ü', 'publish'), 'allowed'],
    [ask('note', 'shut', 'publish'), 'no_rule'],
    [ask('note', 'A/B ü', 'invoke'), 'no_rule'],
    [ask('counter', '7', 'invoke'), 'allowed'],
    [ask('note', 'new', 'draft', { properties: mine }), 'allowed'],
    [ask('note', 'new', 'draft', { properties: { ...mine, tenant_id: DEMO.globex } }), 'no_rule'],
    [ask('note', 'a/b ü', 'draft'), 'invalid_attribute'],
    [ask('note', 'shut', 'delete'), 'forbidden'],
    [ask('note', 'a/b ü', 'update', { changes: { id: 'c' } }), 'immutable_column'],
    [ask('counter', '7', 'publish', { changes: { tenant_id: DEMO.acme } }), 'allowed'],
    [ask('counter', '7', 'update', { changes: { id: '8' } }), 'immutable_column'],
    [ask('note', 'a/b ü', 'archive'), 'unknown_action']
  ]
  for (const [question, code] of cases) {
    const { status, body } = await post(app, question)
    t.equal(status, 200)
    t.strictSame([body.context.code, body.decision], [code, code === 'allowed'], JSON.stringify(question))
  }
  const batch = await post(app, { evaluations: cases.map(([question]) => question) })
  t.strictSame(
    batch.body.evaluations.map((one: { context: { code: string } }) => one.context.code),
    cases.map(([, code]) => code),
    'as one batch'
  )
  const archive = await post(app, ask('note', 'a/b ü', 'archive'))
  t.equal(archive.body.context.reason, 'actions: read, create, update, delete, draft, invoke, publish')
})

t.test('after a migration to another revision a running service decides nothing, and says why', async t => {
  const database = await ownDatabase(t)
  const lines: string[] = []
  const app = serving(t, database, bundle, lines)
  const question = ask('note', 'a/b ü', 'read')
  t.equal((await post(app, question)).body.decision, true)
  const next = compiled(POLICY.replace('&& !resource.locked', ''))
  await migrate({ database: database.url(), bundle: next })
  for (const body of [question, ask('note', 'none', 'read'), { evaluations: [question] }]) {
    const reply = await post(app, body)
    t.equal(reply.status, 503)
    t.equal(reply.body.error.code, 'TWR_DB_NOT_MIGRATED')
    t.equal(reply.headers['retry-after'], '1')
  }
  const fault = lines.map(line => JSON.parse(line)).find(line => line.fault !== undefined)?.fault
  t.match(fault, {
    code: 'TWR_DB_NOT_MIGRATED',
    message: `the database holds revision ${next.revision.slice(0, 12)}, this policy is ${bundle.revision.slice(0, 12)}`,
    hint: /start the service again/
  })
  t.equal((await post(serving(t, database, next), question)).body.decision, true, 'one of that revision does')
  await migrate({ database: database.url(), bundle: next, direction: 'down' })
  t.match(await post(app, question), { status: 503, body: { error: { code: /^TWR_DB_/ } } })
  await migrate({ database: database.url(), bundle })
  t.equal((await post(app, question)).body.decision, true, 'without a restart when the revision is back')
})
