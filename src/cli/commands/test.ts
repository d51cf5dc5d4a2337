import type { Command } from 'commander'
import { ConfigError } from '../../errors/errors.js'
import { reportJson, reportJunit, reportTap } from '../../testing/report/machine.js'
import type { Report } from '../../testing/report/report.js'
import { reportText } from '../../testing/report/text.js'
import { tally } from '../../testing/run.js'
import { type Context, EXIT, examples, formatOption, report as reportError } from '../command.js'
import type { Io } from '../io.js'
import { marksOf } from '../marks.js'
import { count, problemText } from '../problems.js'
import { type TestFlags, testOnce } from '../test/once.js'
import { watchFolder } from '../test/watch.js'

const DESCRIPTION = `Runs the policy tests of a folder, the *.test.yaml files beside the policies: who may do what with which row.

They are asked in this process; with --url a running service too, and with --rls or --database row-level security. Where these disagree, the one that does is named. In a database everything happens in a transaction that is rolled back. Exits 0 when all is as expected, 1 when something is not, 2 when the tests cannot be run.`

interface Flags extends TestFlags {
  readonly format: string
  readonly watch?: boolean
}

/** \`twinrule test [dir]\`: what the policies must allow and deny. */
export function registerTest(program: Command, { io, end }: Context): void {
  program
    .command('test')
    .summary('run the policy tests, in process, over HTTP and under row-level security')
    .description(DESCRIPTION)
    .argument('[dir]', 'the folder of the policy and test files', 'policies')
    .option('--rls', 'ask an embedded PostgreSQL too, with tables made from the policy')
    .option('--migrations <dir>', 'with --rls: make the tables with these numbered migrations')
    .option(
      '-d, --database <url>',
      'ask this database too, which holds the policies; the login of a superuser'
    )
    .option('--url <url>', 'ask this service too, with the first key of TWINRULE_API_KEYS')
    .option('--coverage', 'show which rules and tests of them were never seen true, false or unknown')
    .option('--mutate', 'make small mistakes in the rules, and show the tests that would notice them')
    .option('--watch', 'run again when a file changes')
    .addOption(formatOption('text', 'tap', 'junit', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule test',
        'twinrule test policies --rls --coverage',
        'twinrule test --mutate',
        'twinrule test --format junit > policies.xml',
        'TWINRULE_API_KEYS=... twinrule test --url http://127.0.0.1:8080'
      )
    )
    .action(async (dir: string, flags: Flags) => end(await test(dir, flags, io)))
}

async function test(dir: string, flags: Flags, io: Io): Promise<number> {
  refuse(flags)
  if (flags.watch !== true) return runOnce(dir, flags, io)
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  let last: number = EXIT.ok
  await watchFolder(
    dir,
    async () => {
      io.clear()
      last = await runOnce(dir, flags, io).catch(error => reportError(error, io))
      io.err(`\n${new Date().toLocaleTimeString('en-GB')}, waiting for changes in ${dir}; Ctrl+C ends\n`)
    },
    stop.signal
  )
  return last
}

function refuse({ rls, database, migrations, watch, format }: Flags): void {
  const why =
    rls === true && database !== undefined
      ? '--rls and --database: which of the two databases is asked?'
      : migrations !== undefined && rls !== true
        ? '--migrations goes with --rls'
        : watch === true && format !== 'text'
          ? '--watch goes with --format text'
          : null
  if (why === null) return
  throw new ConfigError('TWR_CONFIG', why, { hint: '`twinrule test --help` shows how to use it' })
}

async function runOnce(dir: string, flags: Flags, io: Io): Promise<number> {
  const outcome = await testOnce(dir, flags, io)
  if ('problems' in outcome) {
    for (const problem of outcome.problems) io.err(problemText(problem, io.errColors))
    io.err(`${count(outcome.problems.length, 'problem')}, so no test was run\n`)
    return EXIT.usage
  }
  const { report } = outcome
  io.out(render(report, flags.format, io))
  const { failed } = tally(report.files)
  const survived = report.mutation?.survived ?? 0
  return failed + survived === 0 ? EXIT.ok : EXIT.findings
}

function render(report: Report, format: string, io: Io): string {
  switch (format) {
    case 'tap':
      return reportTap(report)
    case 'junit':
      return reportJunit(report)
    case 'json':
      return reportJson(report)
    default:
      return reportText(report, marksOf(io.outColors))
  }
}
