import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'

async function fmt(dir: string, ...argv: readonly string[]) {
  const { io, out, err } = capture()
  const code = await run(['fmt', dir, ...argv], io)
  return { code, out: out(), err: err() }
}

const UGLY = 'version:  1 # one\nprincipal:   {id: uuid}\n'
const FINE = 'version: 1 # one\nprincipal: { id: uuid }\n'

t.test('the files that are in another form are named, and written', async t => {
  const dir = t.testdir({ 'a.yaml': UGLY, 'b.yaml': FINE, sub: { 'c.test.yml': 'version:   1\n' } })
  const text = (file: string) => readFileSync(join(dir, file), 'utf8')
  const check = await fmt(dir, '--check')
  t.match(check, { code: 1, out: /a\.yaml\n.*c\.test\.yml\n$/, err: '2 files of 3 in another form\n' })
  t.notMatch(check.out, 'b.yaml')
  t.equal(text('a.yaml'), UGLY, '--check changes nothing')
  t.match(await fmt(dir), { code: 0, out: check.out, err: '2 files of 3 formatted\n' })
  t.equal(text('a.yaml'), FINE)
  t.equal(text('sub/c.test.yml'), 'version: 1\n')
  t.match(await fmt(dir, '--check'), { code: 0, out: '', err: '0 files of 3 in another form\n' })
})

t.test('a file that cannot be read keeps all of them as they are', async t => {
  const dir = t.testdir({ 'a.yaml': UGLY, 'b.yaml': 'a: [\n' })
  t.match(await fmt(dir), { code: 1, out: '', err: /b\.yaml:\d+:\d+ TWR_POLICY_YAML/ })
  t.equal(readFileSync(join(dir, 'a.yaml'), 'utf8'), UGLY)
  t.match(await fmt(join(dir, 'nowhere')), { code: 2, err: /TWR_CONFIG there is no \*\.yaml file in/ })
  t.match(await fmt(t.testdir({})), { code: 2, err: /TWR_CONFIG there is no \*\.yaml file in/ })
})
