import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Parser } from 'tap-parser'
import { run } from '../../src/cli/run.js'
import { watchFolder } from '../../src/cli/test/watch.js'
import { documents } from '../structure/documents.js'
import { capture } from '../support/capture.js'

const ROOT = join(import.meta.dirname, '..', '..')
const POLICIES = join(ROOT, 'policies')

async function test(dir: string, ...argv: readonly string[]) {
  const { io, out, err } = capture()
  const code = await run(['test', dir, ...argv], io)
  return { code, out: out(), err: err() }
}

const NOTES = `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, open: bool, kind: text!, readers: set<uuid>! }
    immutable: [id]
    column_rules: [{ columns: [kind], when: resource.tenant_id == principal.tenant_id }]
    rules:
      owner: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      reader:
        allow: [read, update]
        when: resource.open && principal.id in resource.readers
        check: resource.open
      secret:
        forbid: [read]
        when: resource.kind in ["secret", "top"]
`
const FIXTURES = `version: 1
tenants: { acme: {}, globex: {} }
principals: { ada: { tenant: acme }, gus: { tenant: globex } }
defaults: { note: { tenant_id: acme, open: false, kind: plain, readers: [] } }
rows:
  note:
    own: {}
    lent: { open: true, readers: [gus] }
tests:
`
const TESTS = `  - { who: ada, may: [read, update], what: own, by: owner }
  - { who: gus, may_not: read, what: own, because: no_rule }
  - { who: gus, may: read, what: lent }
`

function folder(t: Test, tests = TESTS, policy = NOTES): string {
  return t.testdir({ 'notes.yaml': policy, 'notes.test.yaml': `${FIXTURES}${tests}` })
}

t.test('what is as expected is counted, what is not is explained with names', async t => {
  const good = await test(folder(t))
  t.match(good, {
    code: 0,
    out: /notes\.test\.yaml {2}4 passed, 0 failed\n\n4 passed, 0 failed, asked in process\n$/,
    err: ''
  })
  const bad = await test(folder(t, `${TESTS}  - { title: lending, who: gus, may: read, what: own }\n`))
  t.equal(bad.code, 1)
  t.equal(
    bad.out.replaceAll(/\S*notes\.test\.yaml/g, 'notes.test.yaml'),
    `FAILED  lending: gus may read own  notes.test.yaml:13:5
  expected allow, got deny
    no rule allows read on note for this row
    owner: resource.tenant_id == principal.tenant_id is false (resource.tenant_id is acme, principal.tenant_id is globex)
    reader: resource.open is false

notes.test.yaml  4 passed, 1 failed

4 passed, 1 failed, asked in process
`
  )
})

t.test('a decision for another reason than the expected one fails', async t => {
  const by = await test(folder(t, '  - { who: gus, may: read, what: lent, by: owner }\n'))
  t.match(by, { code: 1, out: /expected to be allowed by owner, in process says reader/ })
  const because = await test(folder(t, '  - { who: gus, may_not: read, what: own, because: forbidden }\n'))
  t.match(because, { code: 1, out: /expected to be denied with forbidden, in process says no_rule/ })
})

t.test('TAP, JUnit and JSON say the same', async t => {
  const dir = folder(t, `${TESTS}  - { title: '#1 <"&>', who: gus, may: read, what: own }\n`)
  const tap = await test(dir, '--format', 'tap')
  const parsed = Parser.parse(tap.out)
  const asserts = parsed
    .filter(([kind]) => kind === 'assert')
    .map(([, result]) => result as { ok: boolean; name: string; diag: unknown })
  t.strictSame(
    asserts.map(({ ok }) => ok),
    [true, true, true, true, false]
  )
  t.match(asserts[4], {
    name: /#1 <"&>: gus may read own$/,
    diag: { message: 'expected allow, got deny', locks: [/^in process: deny/] }
  })
  const junit = await test(dir, '--format', 'junit')
  t.equal(junit.code, 1)
  t.match(junit.out, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites tests="5" failures="1">/)
  t.match(
    junit.out,
    /name="#1 &lt;&quot;&amp;&gt;: gus may read own" file=".*" line="13">\n +<failure message="expected allow, got deny">in process: deny/
  )
  const json = JSON.parse((await test(dir, '--format', 'json', '--coverage')).out)
  t.match(json, { passed: 4, failed: 1, locks: ['in process'], coverage: { untested: [] }, mutation: null })
  t.match(json.files[0].tests[4], {
    who: 'gus',
    action: 'read',
    what: 'own',
    expected: true,
    passed: false,
    disagreeing: [],
    locks: { 'in process': { decision: false } }
  })
})

t.test('coverage shows the test of a rule that was never seen true, false or unknown', async t => {
  const { code, out } = await test(folder(t), '--coverage')
  t.equal(code, 0)
  const places = out.replaceAll(/\S*notes\.yaml/g, 'notes.yaml')
  t.match(places, /\ncoverage: 2 of 5 rules seen true and not true, \d+ of \d+ truths of their tests\n/)
  t.match(
    places,
    /\n {2}secret: never true {2}notes.yaml:15:7\n {4}never true: resource.kind in \["secret", "top"\] {2}notes.yaml:17:15\n/
  )
  t.match(places, /\n {4}never unknown: resource.open {2}notes.yaml:13:15\n/, 'a column that may be null')
  t.match(places, /\n {2}reader, its check: never true\b/)
  t.match(places, /\n {2}kind, a column rule: never true, never not true {2}notes.yaml:8:20\n/)
  const more = `${TESTS}  - { who: ada, may_not: read, what: { note: { kind: top } } }
  - { who: gus, may_not: read, what: { note: { open: null } } }
`
  const better = (await test(folder(t, more), '--coverage')).out
  t.notMatch(better, /secret/)
  t.notMatch(better, /\n {4}never unknown: resource.open/)
})

t.test('mutants that no test notices come with the test that would, and it does', async t => {
  const dir = folder(t)
  const { code, out } = await test(dir, '--mutate')
  t.equal(code, 1)
  t.match(out, /\nmutation score: \d\d? %, the tests notice \d+ of \d+ mistakes/)
  const [, pasted = ''] = /\nPaste these under tests:.*\n\n([\s\S]*)\n\d+ passed/.exec(out) ?? []
  for (const name of [
    'secret is gone',
    'reader with `resource.open` taken for true',
    'secret with no "top" in `resource.kind in ["secret", "top"]`',
    'the column rule of kind is gone',
    'id is not immutable'
  ]) {
    t.ok(pasted.includes(`  # noticed by no other test: ${name} (`), name)
  }
  appendFileSync(join(dir, 'notes.test.yaml'), pasted)
  const again = await test(dir, '--mutate')
  t.match(again, { code: 0, out: /\nmutation score: 100 %/ }, again.out + again.err)
})

t.test('a change of the key of related rows is a test that can be missing', async t => {
  const pages = `    relations: { pages: { many: pages, local: id, remote: note_id, columns: { note_id: uuid! } } }\n`
  const dir = folder(t, TESTS, NOTES.replace('    immutable: [id]\n', `    immutable: [id]\n${pages}`))
  const { out } = await test(dir, '--mutate')
  const [, pasted = ''] =
    /\n( {2}# noticed by no other test: id is not immutable[\s\S]*?\n)\n/.exec(out) ?? []
  t.match(pasted, /may_not: update\n.*\n {4}changes: \{ id: /)
  appendFileSync(join(dir, 'notes.test.yaml'), pasted)
  t.notMatch((await test(dir, '--mutate')).out, 'id is not immutable')
})

t.test('a gap that is planted in the tests of the example is found and closed', async t => {
  const dir = t.testdir({})
  cpSync(POLICIES, dir, { recursive: true })
  const file = join(dir, 'platform.test.yaml')
  const whole = readFileSync(file, 'utf8')
  t.match(await test(dir, '--mutate'), {
    code: 0,
    out: /mutation score: 100 %, the tests notice 52 of 52 mistakes\n/
  })
  writeFileSync(
    file,
    whole
      .replace(/\n.*who: ada, may_not: update.*resource_type: platform.*/, '')
      .replace('[globex_private, translator] }', 'globex_private }')
  )
  const { code, out } = await test(dir, '--mutate')
  t.equal(code, 1)
  const [, pasted = ''] =
    /\n( {2}# noticed by no other test: owner with `resource.resource_type == "platform"`[\s\S]*?)\n\n/.exec(
      out
    ) ?? []
  t.match(
    pasted,
    /\n {2}- who: ada\n {4}may_not: update\n {4}what: acme_private\n/,
    'with principals and rows of the file'
  )
  appendFileSync(file, `${pasted}\n`)
  t.match(await test(dir, '--mutate'), { code: 0, out: /mutation score: 100 %/ })
})

t.test('docs/testing.md shows what the command prints', async t => {
  const { blocks = [] } = documents().find(({ file }) => file === 'docs/testing.md') ?? {}
  const of = (language: string) => blocks.filter(one => one.language === language).map(one => one.text)
  const [policy = '', first = '', related = '', others = ''] = of('yaml')
  const [failed, coverage, mutants] = of('text')
  const dir = t.testdir({ policies: { 'notes.yaml': policy, 'notes.test.yaml': first } })
  const policies = join(dir, 'policies')
  const print = async (...argv: readonly string[]) =>
    (await test(policies, ...argv)).out.replaceAll(/[^\s(]*policies\//g, 'policies/')
  t.equal(await print(), failed)
  writeFileSync(join(policies, 'notes.test.yaml'), first.replace(/(?<=tests:\n)[\s\S]*/, others))
  const both = await print('--coverage', '--mutate')
  t.ok(both.includes(`\n${coverage}\n`), both)
  t.ok(both.includes(`\n${mutants}\n`), both)
  const collaboration = t.testdir({ 'own.test.yaml': related })
  cpSync(join(ROOT, 'examples/collaboration/policies/collaboration.yaml'), join(collaboration, 'policy.yaml'))
  const told = await test(collaboration)
  t.match(told.err, /`is_shared` is missing/, 'a fragment: what is missing is the rest of the row')
  t.notMatch(told.err, /TWR_TEST_NAME|TWR_TEST_SHAPE|POLICY/)
})

t.test('no mutants are tried while tests fail', async t => {
  const { code, out, err } = await test(folder(t, '  - { who: gus, may: read, what: own }\n'), '--mutate')
  t.match({ code, err }, { code: 1, err: /^no mutants are tried while tests fail/ })
  t.notMatch(out, /mutation/)
})

t.test('what cannot be run is exit code 2', async t => {
  t.match(await test(t.testdir({ 'notes.yaml': NOTES })), {
    code: 2,
    err: /^TWR_TEST_NO_FILES there is no \*\.test\.yaml file/
  })
  t.match(await test(folder(t, '  - { who: ada, may: read, what: onw }\n')), {
    code: 2,
    err: /notes\.test\.yaml:10:34 TWR_TEST_NAME there is no row `onw`\n {2}hint: did you mean `own`\?\n1 problem, so no test was run\n$/
  })
  t.match(await test(folder(t, TESTS, 'version: 2\n')), { code: 2, err: /TWR_POLICY_SCHEMA expected 1/ })
  t.match(await test('nowhere'), { code: 2, err: /TWR_POLICY_NO_FILES/ })
  t.match(await test(folder(t), '--rls', '--database', 'postgres://x'), {
    code: 2,
    err: /which of the two databases/
  })
  t.match(await test(folder(t), '--migrations', 'db'), { code: 2, err: /--migrations goes with --rls/ })
  t.match(await test(folder(t), '--watch', '--format', 'tap'), {
    code: 2,
    err: /--watch goes with --format text/
  })
  t.match(await test(folder(t), '--url', 'http://127.0.0.1:1'), {
    code: 2,
    err: /TWINRULE_API_KEYS is not set/
  })
  t.match(
    await test(folder(t), '--update'),
    { code: 2, err: /unknown option '--update'/ },
    'expectations are written by people'
  )
})

t.test('--rls makes the tables from the policy, or with migrations', async t => {
  t.match(await test(folder(t), '--rls'), { code: 0, out: /4 passed, 0 failed, asked in process and rls\n$/ })
  const db = join(ROOT, 'migrations')
  t.match(await test(POLICIES, '--rls', '--migrations', db), {
    code: 0,
    out: /0 failed, asked in process and rls\n$/
  })
})

t.test('the watch mode runs again after a change, on a clear screen', { timeout: 60_000 }, async t => {
  const dir = folder(t)
  const { io, out, err } = capture()
  const runs = () => out().split('<clear>').slice(1)
  const until = async (is: () => boolean) => {
    while (!is()) await new Promise(resolve => setTimeout(resolve, 20))
  }
  const done = run(['test', dir, '--watch'], io)
  await until(() => /waiting for changes/.test(err()))
  t.match(runs(), [/4 passed, 0 failed, asked in process\n$/])
  writeFileSync(join(dir, 'notes.test.yaml'), `${FIXTURES}${TESTS}  - { who: gus, may: read, what: own }\n`)
  await until(() => runs().length > 1 && /asked in process\n$/.test(out()))
  t.match(runs()[1], /4 passed, 1 failed/)
  writeFileSync(join(dir, 'notes.yaml'), 'version: 2\n')
  await until(() => /expected 1/.test(err()))
  process.emit('SIGINT')
  t.equal(await done, 2, 'with the exit code of the last run')
})

t.test('changes of other files and changes during a run', { timeout: 60_000 }, async t => {
  const dir = t.testdir({ 'a.yaml': '', 'b.txt': '' })
  const stop = new AbortController()
  let runs = 0
  const done = watchFolder(
    dir,
    async () => {
      runs++
      // what changes while the tests run is not lost, what they do not read starts nothing
      if (runs === 1) for (const name of ['b.txt', 'a.yaml']) writeFileSync(join(dir, name), 'x')
      if (runs === 2) setTimeout(() => stop.abort(), 400)
    },
    stop.signal
  )
  await done
  t.equal(runs, 2)
})
