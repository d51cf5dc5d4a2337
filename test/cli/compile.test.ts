import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { capture } from '../support/capture.js'

const ROOT = join(import.meta.dirname, '..', '..')
const POLICIES = join(ROOT, 'policies')

for (const target of ['sql', 'casl']) {
  t.test(`${target}: the same folder gives the same bytes`, async t => {
    const [first, second] = [capture(), capture()]
    t.equal(await run(['compile', POLICIES, '--target', target], first.io), 0)
    t.equal(await run(['compile', POLICIES, '-t', target], second.io), 0)
    t.ok(first.out().length > 1000)
    t.equal(first.out(), second.out())
  })
}

t.test('casl is a JSON list of rules', async t => {
  const { io, out } = capture()
  await run(['compile', POLICIES, '--target', 'casl'], io)
  const rules = JSON.parse(out()) as { subject: string }[]
  t.ok(rules.some(({ subject }) => subject === 'agent'))
})

t.test('--out writes the file and says whether it changed', async t => {
  const dir = t.testdir({ 'access.sql': 'old' })
  const file = join(dir, 'access.sql')
  const [first, second] = [capture(), capture()]
  t.equal(await run(['compile', POLICIES, '--target', 'sql', '--out', file], first.io), 0)
  t.match(first.err(), /^wrote .*access\.sql \(\d+ bytes, revision /)
  t.equal(first.out(), '')
  t.match(readFileSync(file, 'utf8'), /CREATE POLICY/)
  const { mtimeMs } = statSync(file)
  t.equal(await run(['compile', POLICIES, '--target', 'sql', '--out', file], second.io), 0)
  t.match(second.err(), /^unchanged /)
  t.equal(statSync(file).mtimeMs, mtimeMs, 'an unchanged file is not written')
  t.strictSame(readdirSync(dir), ['access.sql'], 'no draft is left')
})

t.test('a file that cannot be written is a configuration error', async t => {
  const { io, err } = capture()
  const file = join(t.testdir({}), 'missing', 'access.sql')
  t.equal(await run(['compile', POLICIES, '--target', 'sql', '--out', file], io), 2)
  t.match(err(), /^TWR_CONFIG cannot write /)
})

t.test('policies with mistakes are not compiled, and an older file stays', async t => {
  const { io, out, err } = capture()
  const dir = t.testdir({ 'a.yaml': 'version: 2\n', out: 'old' })
  t.equal(await run(['compile', dir, '--target', 'sql', '--out', join(dir, 'out')], io), 1)
  t.equal(out(), '')
  t.match(err(), /a\.yaml:1:\d+ TWR_POLICY_/)
  t.equal(readFileSync(join(dir, 'out'), 'utf8'), 'old')
})
