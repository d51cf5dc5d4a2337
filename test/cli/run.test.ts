import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { report } from '../../src/cli/command.js'
import { colorsFor } from '../../src/cli/io.js'
import { run } from '../../src/cli/run.js'
import { DatabaseError, InternalError } from '../../src/errors/errors.js'
import { capture } from '../support/capture.js'

const ROOT = join(import.meta.dirname, '..', '..')

t.test('every command explains itself, with examples', async t => {
  for (const command of ['check', 'compile', 'diff', 'migrate', 'serve']) {
    const { io, out } = capture()
    t.equal(await run([command, '--help'], io), 0)
    t.match(out(), new RegExp(`^Usage: twinrule ${command} [\\s\\S]*Examples:\n {2}\\$ twinrule ${command}`))
  }
})

t.test('--version prints the version of the package', async t => {
  const { io, out } = capture()
  t.equal(await run(['--version'], io), 0)
  t.match(out(), /^\d+\.\d+\.\d+\n$/)
})

t.test('mistakes on the command line are exit code 2, with a suggestion', async t => {
  for (const [argv, words] of [
    [['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [['check', '--formt', 'json'], /unknown option '--formt'\n\(Did you mean --format\?\)/],
    [['check', '--format', 'xml'], /Allowed choices are text, json/],
    [['check', 'a', 'b'], /too many arguments/],
    [['compile'], /required option '-t, --target <target>'/],
    [['diff', 'a'], /missing required argument 'head'/],
    [[], /Usage: twinrule/]
  ] as const) {
    const { io, out, err } = capture()
    t.equal(await run(argv, io), 2, argv.join(' '))
    t.match(err(), words)
    t.equal(out(), '')
  }
})

t.test('an error ends the command with the exit code of its code', async t => {
  const { io, err } = capture()
  const unsafe = new DatabaseError('TWR_DB_UNSAFE_ROLE', 'the role is a superuser', { hint: 'use another' })
  t.equal(report(unsafe, io), 78)
  t.equal(err(), 'TWR_DB_UNSAFE_ROLE the role is a superuser\n  hint: use another\n')
  t.equal(report(new InternalError('cannot be'), capture().io), 70)
})

t.test('an error without a code is reported as a fault, exit code 70', async t => {
  const { io, err } = capture()
  t.equal(report(new TypeError('x is not a function'), io), 70)
  t.match(err(), /^TWR_BUG TypeError: x is not a function\n/)
})

t.test('colours are for terminals without NO_COLOR', async t => {
  t.not(colorsFor(true, {}).red('x'), 'x')
  t.equal(colorsFor(false, {}).red('x'), 'x')
  t.equal(colorsFor(true, { NO_COLOR: '1' }).red('x'), 'x')
  t.equal(colorsFor(true, { TERM: 'dumb' }).red('x'), 'x')
})

t.test('the program passes its exit code on', async t => {
  const main = join(ROOT, 'src/cli/main.ts')
  const start = (...argv: string[]) => {
    const started = promisify(execFile)(
      process.execPath,
      ['--import', '@tapjs/typescript/import', main, ...argv],
      {
        cwd: ROOT,
        env: { ...process.env, TS_NODE_TRANSPILE_ONLY: '1' }
      }
    )
    started.child.stdin?.end()
    return started
  }
  t.match(await start('check', 'policies'), { stdout: '', stderr: /^no problems/ })
  // nothing is written to its standard input, which ends at once
  await t.rejects(start('explain', '-'), { code: 2, stderr: /standard input is not JSON/ })
  await t.rejects(start('check', 'src'), { code: 1, stdout: /TWR_POLICY_NO_FILES/ })
  await t.rejects(start('chek'), { code: 2, stderr: /Did you mean check/ })
})
