import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { errorsMarkdown } from '../../scripts/docs-errors.js'
import { run } from '../../src/cli/run.js'
import { CODES } from '../../src/errors/codes.js'
import { capture } from '../support/capture.js'

const ROOT = join(import.meta.dirname, '..', '..')
/** Lines of a file at most. Starting a test file takes seconds, so there are fewer and larger ones. */
const MAX_LINES: Readonly<Record<string, number>> = { src: 250, scripts: 250, bench: 250, test: 400 }

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const filesBelow = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .map(name => join(folder, String(name)))
    .filter(name => /\.m?ts$|\.mjs$/.test(name) && !name.includes('node_modules'))

t.test('every source file can be read in one sitting', async t => {
  for (const [folder, limit] of Object.entries(MAX_LINES)) {
    for (const file of filesBelow(folder)) {
      const lines = read(file).split('\n').length - 1
      if (lines > limit) t.fail(`${file} has ${lines} lines, the limit is ${limit}`)
    }
  }
  t.pass('all files')
})

t.test('only the entry of the command line ends the process', async t => {
  const ending = filesBelow('src').filter(file => /\bprocess\.(exit|abort)\(/.test(read(file)))
  t.strictSame(ending, ['src/cli/main.ts'])
})

t.test('every error code has a test', async t => {
  const text = filesBelow('test').map(read).join('\n')
  // a bug has none: a test of it would be a bug
  const tested = (code: string) => code === 'TWR_BUG' || new RegExp(`${code}\\b`).test(text)
  t.strictSame(
    Object.keys(CODES).filter(code => !tested(code)),
    []
  )
})

t.test('every error code is used', async t => {
  const text = filesBelow('src')
    .filter(file => !file.endsWith('errors/codes.ts'))
    .map(read)
    .join('\n')
  t.strictSame(
    Object.keys(CODES).filter(code => !new RegExp(`'${code}'`).test(text)),
    []
  )
})

t.test('docs/errors.md is what `npm run docs:errors` writes', async t => {
  t.equal(read('docs/errors.md'), errorsMarkdown())
})

t.test('the commands that the documents show exist', async t => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const { io, out } = capture()
  await run(['--help'], io)
  const commands = [...(out().split('Commands:')[1] ?? '').matchAll(/^ {2}([\w-]+)(?: |$)/gm)].map(
    ([, name]) => name
  )
  t.strictSame(commands, [
    'advise',
    'check',
    'compile',
    'diff',
    'drift',
    'explain',
    'fmt',
    'generate',
    'keys',
    'leakcheck',
    'migrate',
    'prove',
    'serve',
    'test',
    'why-hidden'
  ])
  const builtIn = ['ci', 'test', 'start', 'install', 'i']
  for (const document of ['README.md', 'CONTRIBUTING.md']) {
    const text = read(document)
    for (const [line, script = ''] of text.matchAll(/(?:`|&& |^)npm (?:run )?(?:-\S+ )*([a-z][\w:]*)/gm)) {
      t.ok(builtIn.includes(script) || script in scripts, `${document}: ${line}`)
    }
    for (const [line, name = ''] of text.matchAll(/(?:`|\$ |^|npx )twinrule ([a-z]+(?:-[a-z]+)*)/gm)) {
      t.ok(commands.includes(name), `${document}: ${line}`)
    }
  }
})
