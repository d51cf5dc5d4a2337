import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'
import { createDatabase } from '../support/cluster.js'

const GOOD = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
`
const FIVE_MISTAKES = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uid!, title: text }
    rules:
      a: { allow: [raed], when: resource.title == "x" }
      b: { allow: [read], when: resource.titel == "x" }
      c: { allow: [read], when: resource.title == principal.tenant }
      d: { allow: [read], when: resource.title == }
`

t.test('a folder without mistakes', async t => {
  const { io, out, err } = capture()
  const dir = t.testdir({ 'a.yaml': GOOD, 'a.test.yaml': 'cases, not rules' })
  t.equal(await run(['check', dir], io), 0)
  t.equal(out(), '')
  const [summary, proof] = err().split('\n')
  t.match(summary, /^no problems: 1 resource, 1 rule, revision [0-9a-f]{12}$/)
  t.match(proof, /^proved: both locks decide alike, \d+ cases in 1 resource, \d+ ms$/)
})

t.test('--no-prove leaves the proof out', async t => {
  const { io, err } = capture()
  t.equal(await run(['check', t.testdir({ 'a.yaml': GOOD }), '--no-prove'], io), 0)
  t.match(err(), /^no problems: [^\n]*\n$/)
})

t.test('five mistakes are five places, each with its code, and exit code 1', async t => {
  const { io, out, err } = capture()
  const dir = t.testdir({ 'a.yaml': FIVE_MISTAKES })
  t.equal(await run(['check', dir], io), 1)
  const lines = out()
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('  hint: '))
  t.match(
    lines.map(line => /a\.yaml:(\d+:\d+) TWR_POLICY_/.exec(line)?.[1]),
    ['6:38', '8:20', '9:42', '10:61', '11:50']
  )
  t.match(out(), /\n {2}hint: .*read/)
  t.equal(err(), '5 problems in 1 file\n')
})

t.test('--format json gives places and codes to programs, and nothing else on stdout', async t => {
  const { io, out } = capture()
  const dir = t.testdir({ 'a.yaml': FIVE_MISTAKES })
  t.equal(await run(['check', dir, '--format', 'json'], io), 1)
  const problems = JSON.parse(out()) as Record<string, unknown>[]
  t.equal(problems.length, 5)
  t.match(problems[1], { line: 8, column: 20, endLine: 8, endColumn: 24, code: /^TWR_POLICY_/ })
  t.strictSame(
    [...new Set(problems.flatMap(problem => Object.keys(problem)))],
    ['file', 'line', 'column', 'endLine', 'endColumn', 'code', 'severity', 'message', 'hint']
  )
})

t.test('--format json of no mistake is an empty list', async t => {
  const { io, out } = capture()
  t.equal(await run(['check', t.testdir({ 'a.yaml': GOOD }), '--format', 'json'], io), 0)
  t.strictSame(JSON.parse(out()), [])
})

t.test('a folder that is not there is a finding', async t => {
  const { io, out } = capture()
  t.equal(await run(['check', 'no-such-folder'], io), 1)
  t.match(out(), /^no-such-folder:1:1 TWR_POLICY_NO_FILES /)
})

t.test('a policy that leaves deletions to DELETE without saying so is told what it gives up', async t => {
  const told = async (more: string, allow = 'read, delete') => {
    const policy = `version: 1
principal: { id: uuid }
resources:
  note: { table: notes, columns: { id: uuid!, gone: timestamptz }, ${more}
    rules: { all: { allow: [${allow}], when: resource.id == principal.id } } }
`
    const { io, err } = capture()
    t.equal(await run(['check', t.testdir({ 'p.yaml': policy })], io), 0, more)
    return /note: note: who may DELETE may LOCK TABLE too/.test(err())
  }
  t.equal(await told(''), true)
  t.equal(await told('', 'read'), false)
  for (const more of ['delete_through: remove,', 'delete_through: statement,', 'soft_delete: gone,']) {
    t.equal(await told(more), false, more)
  }
})

t.test('a policy with plain contexts is told what it gives up', async t => {
  const dir = t.testdir({ 'p.yaml': 'version: 1\ncontext: plain\nprincipal: { id: uuid }\nresources: {}\n' })
  const { io, err } = capture()
  t.equal(await run(['check', dir], io), 0)
  t.match(err(), /`context: plain` gives up that contexts cannot be forged/)
  const two = t.testdir({
    'a.yaml': 'version: 1\ncontext: plain\nprincipal: { id: uuid }\nresources: {}\n',
    'b.yaml': 'version: 1\ncontext: signed\n'
  })
  const second = capture()
  t.equal(await run(['check', two], second.io), 1)
  t.match(second.out(), /b\.yaml:2:1 TWR_POLICY_DUPLICATE the context is signed here and plain elsewhere/)
})

t.test('--database compares with the tables of a live database', async t => {
  const database = await createDatabase(t)
  const client = await database.client()
  t.teardown(() => client.end())
  await client.query(
    'CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id text NOT NULL, title text NOT NULL); CREATE INDEX ON notes (tenant_id)'
  )
  const dir = t.testdir({ 'a.yaml': GOOD.replace('uuid! }\n    rules', 'uuid!, title: text }\n    rules') })
  const check = async (...flags: string[]) => {
    const { io, out, err } = capture()
    return {
      code: await run(['check', dir, '--database', database.url(), ...flags], io),
      out: out(),
      err: err()
    }
  }
  const first = await check()
  t.equal(first.code, 1)
  t.match(
    first.out,
    /a\.yaml:6:38 TWR_CATALOG_TYPE public\.notes\.tenant_id is text; note declares uuid\n {2}hint: run ALTER TABLE/
  )
  t.match(first.out, /a\.yaml:6:52 TWR_CATALOG_NULL warning: public\.notes\.title is never null/)
  t.match(first.err, /\nthe database: 1 error, 1 warning \(1 table, 3 columns\)\n$/)
  await client.query('ALTER TABLE notes ALTER tenant_id TYPE uuid USING NULL')
  const second = await check('--format', 'json')
  t.equal(second.code, 0, 'a warning is no reason')
  t.match(JSON.parse(second.out), [
    { line: 6, column: 52, code: 'TWR_CATALOG_NULL', severity: 'warning', hint: 'declare text!' }
  ])
  await client.query('ALTER TABLE notes ALTER title DROP NOT NULL')
  t.match(await check('--no-prove'), { code: 0, out: '', err: /\nthe database fits: 1 table, 3 columns\n$/ })
})

t.test('--database of a database that cannot be reached is exit code 3', async t => {
  const { io, err } = capture()
  const dir = t.testdir({ 'a.yaml': GOOD })
  t.equal(await run(['check', dir, '--database', 'postgres://x:hunter2@127.0.0.1:1/app'], io), 3)
  t.match(err(), /^TWR_DB_UNREACHABLE /)
  t.notMatch(err(), /hunter2/)
})
