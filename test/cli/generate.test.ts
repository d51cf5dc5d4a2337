import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { caslTemplates } from '../../src/backends/casl.js'
import { run } from '../../src/cli/run.js'
import { loadFolder } from '../../src/policy/load.js'
import { documents } from '../structure/documents.js'
import { capture } from '../support/capture.js'

async function generate(...argv: readonly string[]) {
  const { io, out, err } = capture()
  const code = await run(['generate', ...argv], io)
  return { code, out: out(), err: err() }
}

const FILES = ['access.html', 'access.md', 'casl.json', 'policy.ts', 'resources.mmd']

t.test('every view is written, and --check names those that are not up to date', async t => {
  const out = join(t.testdir({}), 'a', 'b')
  const names = (some: readonly string[]) => some.map(name => `${join(out, name)}\n`).join('')
  const missing = await generate('policies', '--out', out, '--check')
  t.match(missing, { code: 1, out: names(FILES), err: '5 files of 5 not up to date\n' })
  t.throws(() => readdirSync(out), '--check makes nothing')
  t.match(await generate('policies', '--out', out), {
    code: 0,
    out: names(FILES),
    err: '5 files of 5 written\n'
  })
  t.strictSame(readdirSync(out).sort(), FILES)
  t.match(await generate('policies', '--out', out, '--check'), { code: 0, out: '' })
  t.match(await generate('policies', '--out', out), { code: 0, out: '', err: '0 files of 5 written\n' })
  writeFileSync(join(out, 'access.md'), 'edited')
  rmSync(join(out, 'casl.json'))
  const stale = await generate('policies', '--out', out, '--check')
  t.match(stale, { code: 1, out: names(['access.md', 'casl.json']) })
  t.equal(readFileSync(join(out, 'access.md'), 'utf8'), 'edited')
})

t.test('a change of the policy makes every view stale that shows it', async t => {
  const policy = readFileSync('policies/platform.yaml', 'utf8')
  const dir = t.testdir({ policies: { 'p.yaml': policy } })
  const [policies, out] = [join(dir, 'policies'), join(dir, 'out')]
  await generate(policies, '--out', out)
  const { bundle } = await loadFolder(policies)
  t.strictSame(JSON.parse(readFileSync(join(out, 'casl.json'), 'utf8')), bundle && caslTemplates(bundle))
  writeFileSync(join(policies, 'p.yaml'), `# a comment\n${policy}`)
  t.match(await generate(policies, '--out', out, '--check'), { code: 0 }, 'a comment is no change')
  writeFileSync(join(policies, 'p.yaml'), policy.replace('resource.is_shared && ', ''))
  t.match(await generate(policies, '--out', out, '--check'), {
    code: 1,
    out: /access\.html\n.*access\.md\n.*casl/
  })
})

t.test('docs/generate.md shows what is written', async t => {
  const { blocks = [] } = documents().find(({ file }) => file === 'docs/generate.md') ?? {}
  const of = (language: string) => blocks.find(one => one.language === language)?.text ?? ''
  const dir = t.testdir({ policies: { 'notes.yaml': of('yaml') } })
  await generate(join(dir, 'policies'), '--out', join(dir, 'out'))
  const text = (file: string) => readFileSync(join(dir, 'out', file), 'utf8')
  t.ok(of('text').length > 0 && text('access.md').endsWith(`\n${of('text')}`), text('access.md'))
  t.ok(
    of('mermaid').length > 0 && text('resources.mmd').endsWith(`\n${of('mermaid')}`),
    text('resources.mmd')
  )
})

t.test('names and values stand in the page as text', async t => {
  const policy = `version: 1
principal: { id: uuid }
resources:
  a: { table: a, columns: { id: uuid!, t: text }, rules: { r: { allow: [read], when: 'resource.t == "<b>|*"' } } }
`
  const dir = t.testdir({ policies: { 'p.yaml': policy } })
  await generate(join(dir, 'policies'), '--out', dir)
  t.match(readFileSync(join(dir, 'access.html'), 'utf8'), 'its t is "&lt;b&gt;|*"')
  t.match(readFileSync(join(dir, 'access.md'), 'utf8'), 'its t is "\\<b\\>\\|\\*"')
})

t.test('what cannot be read or written is said', async t => {
  t.match(await generate('nowhere', '--out', t.testdir({})), { code: 1, err: /TWR_POLICY_NO_FILES/ })
  const file = join(t.testdir({ file: '' }), 'file')
  t.match(await generate('policies', '--out', file), { code: 2, err: /TWR_CONFIG cannot write to/ })
})
