import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')
const EXAMPLE = readFileSync(join(POLICIES, 'platform.yaml'), 'utf8')
const RULES = (rules: string) => `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, open: bool! }
    rules:
${rules}
  page:
    table: pages
    columns: { id: uuid!, tenant_id: uuid! }
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
`
const NARROW = RULES(`      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
      open: { allow: [read, delete], when: resource.open }`)
const SAME = RULES(`      # another order, other names, other words
      anything-open: { allow: [delete, read], when: "(resource.open)" }
      own: { allow: [read], when: principal.tenant_id == resource.tenant_id }`)
const WIDE = RULES(`      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
      open: { allow: [read, delete], when: resource.open || resource.tenant_id == principal.tenant_id }`)

async function diff(...argv: string[]) {
  const { io, out, err } = capture()
  const code = await run(['diff', ...argv], io)
  return { code, out: out(), err: err() }
}

t.test('the same meaning gives no output', async t => {
  const dir = t.testdir({ base: { 'a.yaml': NARROW }, head: { 'other.yml': SAME } })
  t.match(await diff(`${dir}/base`, `${dir}/head`), { code: 0, out: '', err: '' })
})

t.test('the example and a re-commented copy are the same', async t => {
  const dir = t.testdir({ 'copy.yaml': EXAMPLE.replaceAll(/^ *#.*$/gm, '# another comment') })
  t.match(await diff(POLICIES, dir), { code: 0, out: '' })
})

t.test('a widened rule shows exactly the changed policies', async t => {
  const dir = t.testdir({ base: { 'a.yaml': NARROW }, head: { 'a.yaml': WIDE } })
  const { code, out } = await diff(`${dir}/base`, `${dir}/head`)
  t.equal(code, 1)
  t.strictSame(
    [...out.matchAll(/^\+\+\+ (.*)$/gm)].map(([, name]) => name),
    ['policy twinrule_notes_delete']
  )
  t.match(out, /^# table notes\n/)
  t.match(out, /^\+.*"tenant_id" = \(SELECT twinrule\.context_tenant_id\(\)\)/m)
  t.match(out, /follows from it: function .*can_access_resource/)
  t.notMatch(out, /pages/, 'the other table is not shown')
})

t.test('a table that loses its resource is shown as removed', async t => {
  const dir = t.testdir({
    base: { 'a.yaml': NARROW },
    head: { 'a.yaml': NARROW.replace(/ {2}page:[\s\S]*/, '') }
  })
  const { code, out } = await diff(`${dir}/base`, `${dir}/head`, '--format', 'json')
  t.equal(code, 1)
  const changes = JSON.parse(out) as Record<string, unknown>[]
  const pages = changes.filter(({ table }) => table === 'pages')
  t.ok(pages.length >= 4)
  t.ok(pages.every(({ change, after }) => change === 'removed' && after === null))
  t.notOk(changes.some(({ table }) => table === 'notes'))
})

t.test('markdown has a block for each object', async t => {
  const dir = t.testdir({ base: { 'a.yaml': NARROW }, head: { 'a.yaml': WIDE } })
  const { out } = await diff(`${dir}/base`, `${dir}/head`, '--format', 'markdown')
  t.match(
    out,
    /^## Changes to the generated SQL\n\n### table notes\n\n```diff\n--- policy twinrule_notes_delete\n/
  )
  t.equal(out.match(/^```/gm)?.length, 2)
})

t.test('git revisions are read from the history, as seen from the working directory', async t => {
  const dir = t.testdir({ sub: { policies: { 'a.yaml': NARROW, 'a.test.yaml': 'cases' }, other: {} } })
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'commit.gpgsign=false']
  const git = (...args: string[]) => execFileSync('git', ['-C', dir, ...who, ...args])
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-qm', 'narrow')
  writeFileSync(join(dir, 'sub', 'policies', 'a.yaml'), WIDE)
  git('commit', '-qam', 'wide')
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(join(dir, 'sub'))
  t.match(await diff('HEAD', 'policies'), { code: 0, out: '' }, 'the default folder')
  t.match(await diff('main~1:policies', 'main:policies'), { code: 1, out: /notes_delete/ })
  t.match(await diff('main~1', 'policies'), { code: 1, out: /notes_delete/ })
  t.match(await diff('main:other', 'policies'), { code: 2, err: /no policy file in other/ })
})

t.test('a side that does not compile is named, and is not a difference', async t => {
  const dir = t.testdir({
    base: { 'a.yaml': NARROW },
    head: { 'a.yaml': NARROW.replace('resource.open', 'open') }
  })
  const { code, out, err } = await diff(`${dir}/base`, `${dir}/head`)
  t.equal(code, 2)
  t.equal(out, '')
  t.match(err, /a\.yaml:9:\d+ TWR_POLICY_/)
  t.match(err, /TWR_CONFIG_REVISION HEAD \(.*\) does not compile: 1 problem\n/)
})

t.test('what is neither a folder nor a revision is a configuration error', async t => {
  for (const side of [
    'no-such-revision',
    '',
    '-x',
    '--output=x',
    'HEAD:no-such-folder',
    'HEAD;ls',
    '$(ls)'
  ]) {
    const { code, out, err } = await diff('--', side, POLICIES)
    t.equal(code, 2, JSON.stringify(side))
    t.equal(out, '')
    t.match(err, /^TWR_CONFIG_REVISION /)
  }
})
