// Runs the test files with tap and ends with the plain line `N passed, N failed`.
//
//   node test/support/run-tests.mjs                      every test/**/*.test.ts
//   node test/support/run-tests.mjs test/ir/a.test.ts    only these files
//
// Exit code: 0 when every assertion passed, 1 otherwise. A file that times out, crashes, bails out or holds no
// assertion is a failure, and so is a run without any assertion.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Parser } from 'tap-parser'
import { formatFailure } from './format-failure.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const TAP = join(dirname(createRequire(import.meta.url).resolve('tap/package.json')), 'dist/esm/run.mjs')
const TAP_FLAGS = [
  '--disable-coverage',
  '--allow-empty-coverage',
  '--reporter=tap',
  '--jobs=2',
  // seconds for one file
  `--timeout=${process.env.TWINRULE_TEST_TIMEOUT ?? 300}`
]

const say = text => process.stdout.write(`${text}\n`)

function findTests() {
  return readdirSync(join(ROOT, 'test'), { recursive: true })
    .map(name => join('test', String(name)))
    .filter(name => name.endsWith('.test.ts'))
    .sort()
}

/** Counts every assertion below `parser` into `tally`; `path` is the chain of subtest names. */
function watch(parser, path, tally) {
  parser.on('child', child => watch(child, [...path, child.name], tally))
  parser.on('assert', result => {
    if (result.closingTestPoint) return
    const name = [...path, result.name].filter(Boolean).join(' > ')
    if (result.skip) tally.skipped.push(`${name}${result.skip === true ? '' : ` (${result.skip})`}`)
    else if (result.todo) tally.todo.push(name)
    else if (result.ok) tally.passed++
    else {
      tally.failed++
      say(formatFailure(name, result.diag))
    }
  })
}

/** Watches one test file and reports it in one line once it has ended. */
function watchFile(child, tally, open) {
  const file = child.name
  const mine = { passed: 0, failed: 0, skipped: [], todo: [] }
  open.set(file, mine)
  watch(child, [file], mine)
  return result => {
    open.delete(file)
    // safety: a file can fail without a failed assertion (crash, timeout, no assertion at all)
    if (!result.ok && mine.failed === 0) {
      mine.failed = 1
      say(formatFailure(`${file} did not end well`, result.diag))
    }
    tally.passed += mine.passed
    tally.failed += mine.failed
    tally.skipped.push(...mine.skipped)
    tally.todo.push(...mine.todo)
    const seconds = ((result.time ?? 0) / 1000).toFixed(1)
    const skipped = mine.skipped.length > 0 ? `, ${mine.skipped.length} SKIPPED` : ''
    say(
      `${result.ok ? 'ok    ' : 'NOT OK'} ${file}  ${mine.passed} passed, ${mine.failed} failed${skipped}  ${seconds} s`
    )
  }
}

function watchRun(parser, tally) {
  const open = new Map()
  let close
  parser.on('child', child => {
    close = watchFile(child, tally, open)
  })
  parser.on('assert', result => {
    if (result.closingTestPoint && close) close(result)
    else if (!result.ok) {
      tally.failed++
      say(formatFailure(result.name, result.diag))
    }
    close = undefined
  })
  parser.on('bailout', reason => {
    tally.failed++
    say(`BAIL OUT ${reason}`)
  })
  return open
}

/** Runs tap over `files`; resolves with the tally and tap's own verdict. */
function runTap(files) {
  const tally = { passed: 0, failed: 0, skipped: [], todo: [] }
  const flags = process.env.CI ? [...TAP_FLAGS, '--fail-only'] : TAP_FLAGS
  const tap = spawn(process.execPath, [TAP, ...flags, ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tap.kill(signal))
  return new Promise(resolve => {
    let code = null
    const parser = new Parser(results => resolve({ tally, open, code, ok: results.ok }))
    const open = watchRun(parser, tally)
    tap.stdout.on('data', data => parser.write(data))
    tap.on('close', status => {
      code = status
      parser.end()
    })
  })
}

/** The closing lines and the exit code. */
function conclude({ tally, open, code, ok }) {
  for (const [file, mine] of open) {
    tally.passed += mine.passed
    tally.failed += mine.failed + 1
    say(`NOT OK ${file}  no result`)
  }
  for (const name of tally.todo) say(`TODO    ${name}`)
  for (const name of tally.skipped) say(`SKIPPED ${name}`)
  // safety: tap's verdict counts even when every assertion that was seen passed
  if ((code !== 0 || !ok || tally.passed === 0) && tally.failed === 0) {
    say(`tap ended with exit code ${code}`)
    tally.failed = 1
  }
  const skipped = tally.skipped.length > 0 ? `, ${tally.skipped.length} skipped` : ''
  say(`\n${tally.passed} passed, ${tally.failed} failed${skipped}`)
  return tally.failed === 0 ? 0 : 1
}

const wanted = process.argv
  .slice(2)
  .map(file => relative(ROOT, join(process.cwd(), relative(process.cwd(), file))))
process.exitCode = conclude(await runTap(wanted.length > 0 ? wanted : findTests()))
