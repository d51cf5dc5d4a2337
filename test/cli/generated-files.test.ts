import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'
import { createDatabase } from '../support/cluster.js'

async function twinrule(...argv: string[]) {
  const { io, out, err } = capture()
  const code = await run(argv, io)
  return { code, out: out(), err: err() }
}

/** A folder of migrations with the generated file in it. */
async function generated(t: { testdir(): string }) {
  const dir = t.testdir()
  const file = join(dir, 'access.sql')
  copyFileSync('migrations/0001_tenancy.sql', join(dir, '0001_tenancy.sql'))
  const compile = (...flags: string[]) =>
    twinrule('compile', 'policies', '--target', 'sql', '--out', file, ...flags)
  const check = () => twinrule('check', 'policies', '--no-prove', '--migrations', dir)
  await compile()
  return { dir, file, compile, check, text: readFileSync(file, 'utf8') }
}

const EDITS: Readonly<Record<string, (text: string) => string>> = {
  'a word of a policy': text => text.replace('AS PERMISSIVE FOR SELECT', 'AS PERMISSIVE FOR ALL'),
  'one more statement': text => `${text}GRANT ALL ON agents TO PUBLIC;\n`,
  'the revision': text => text.replace(/revision \w{8}/, 'revision 00000000'),
  'the hash': text => text.replace(/^(-- sha256 .*: )\w{4}/m, '$10000'),
  'no hash any more': text => text.replace(/^-- sha256 .*\n/m, ''),
  'no header any more': text => text.replace(/^(-- .*\n)+/, '')
}

for (const [what, edit] of Object.entries(EDITS)) {
  t.test(`a generated file that was edited is noticed: ${what}`, async t => {
    const { dir, file, compile, check, text } = await generated(t)
    t.match(await check(), { code: 0, out: '' })
    writeFileSync(file, edit(text))
    const found = await check()
    t.match(found, { code: 1, err: /1 generated file edited\n$/ })
    t.ok(found.out.startsWith(`${join(dir, 'access.sql')}:1:1 TWR_GENERATED_EDITED `), found.out)
    t.match(found.out, /hint: what was changed by hand is never run: move it into the policy/)
    t.match(await compile('--check'), { code: 1, err: /^TWR_GENERATED_(?:EDITED|STALE) / })
  })
}

t.test('line ends that a checkout has changed are no edit', async t => {
  const { file, compile, check, text } = await generated(t)
  writeFileSync(file, text.replaceAll('\n', '\r\n'))
  t.match(await check(), { code: 0 })
  t.match(await compile('--check'), { code: 0, err: /is what the policy compiles to/ })
})

t.test('an edited file is neither written over nor migrated beside', async t => {
  const { dir, file, compile, text } = await generated(t)
  const edited = text.replace('AS PERMISSIVE FOR SELECT', 'AS PERMISSIVE FOR ALL')
  writeFileSync(file, edited)
  t.match(await compile(), { code: 1, err: /^TWR_GENERATED_EDITED .*access\.sql was edited/ })
  t.equal(readFileSync(file, 'utf8'), edited)
  const database = await createDatabase(t)
  const migrate = ['migrate', '--migrations', dir, '--policies', 'policies', '--database', database.url()]
  t.match(await twinrule(...migrate), { code: 1, err: /^TWR_GENERATED_EDITED / })
  const admin = await database.client()
  t.same((await admin.query("SELECT to_regnamespace('twinrule') AS there")).rows, [{ there: null }])
  await admin.end()
})

t.test('--check tells what is stale, missing or of another target', async t => {
  const { dir, file, compile } = await generated(t)
  t.match(await compile('--check'), { code: 0, out: '' })
  const other = join(dir, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'a.yaml'), 'version: 1\nprincipal: { id: uuid }\nresources: {}\n')
  const stale = await twinrule('compile', other, '--target', 'sql', '--out', file, '--check')
  t.match(stale, { code: 1, err: /^TWR_GENERATED_STALE .*is not what the policy compiles to\n {2}hint: run/ })
  const casl = ['compile', 'policies', '--target', 'casl', '--out', join(dir, 'rules.json')]
  t.match(await twinrule(...casl, '--check'), { code: 1, err: /^TWR_GENERATED_STALE .*is not there/ })
  await twinrule(...casl)
  t.match(await twinrule(...casl, '--check'), { code: 0 })
  t.match(await twinrule('compile', 'policies', '--target', 'sql', '--check'), {
    code: 2,
    err: /^TWR_CONFIG --check has no file to look at/
  })
})

t.test('a plan that was edited is noticed as well', async t => {
  const dir = t.testdir({
    none: { 'a.yaml': 'version: 1\nprincipal: { id: uuid }\nresources: {}\n' }
  })
  const file = join(dir, 'plan.sql')
  const plan = ['migrate', 'plan', '--from', join(dir, 'none'), '--policies', 'policies', '--out', file]
  const first = await twinrule(...plan)
  t.equal(first.code, 1, first.err)
  const check = () => twinrule('check', 'policies', '--no-prove', '--migrations', dir)
  t.match(await check(), { code: 0 })
  t.match(await twinrule(...plan), { code: 1, err: /objects/ }, 'what is as it was may be written again')
  writeFileSync(file, readFileSync(file, 'utf8').replace('COMMIT;', 'ROLLBACK;'))
  t.match(await check(), { code: 1, out: /plan\.sql:1:1 TWR_GENERATED_EDITED/ })
  t.match(await twinrule(...plan), { code: 1, err: /^TWR_GENERATED_EDITED / })
})
