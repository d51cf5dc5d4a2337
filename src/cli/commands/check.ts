import type { Command } from 'commander'
import { withClient } from '../../db/client.js'
import { type Bundle, deletesByStatement } from '../../ir/model.js'
import { checkLive, type LiveCheck } from '../../live/check.js'
import type { Mismatch } from '../../live/mismatch.js'
import { editedFiles } from '../../migrate/generated.js'
import { loadFolder } from '../../policy/load.js'
import { prove } from '../../prove/prove.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import type { Io } from '../io.js'
import { count, problemJson, problemText } from '../problems.js'
import { proofSummary } from '../prove-text.js'

/** `twinrule check [dir]`: every mistake in a policy folder. */
export function registerCheck(program: Command, { io, end }: Context): void {
  program
    .command('check')
    .summary('report every mistake in the policy files')
    .description(
      'Reads every *.yaml file below a folder and reports each mistake by file, line and column. Exits 1 if there is one.\n\nWith --database it also compares the declarations with the tables of a live database, which it does not change:\ntypes, NOT NULL, labels of enums, collations, keys and indexes. Any login will do. A warning leaves the exit code 0.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .option('-d, --database <url>', 'compare with the tables of this database')
    .option(
      '--migrations <dir>',
      'the folder whose generated files must be as they were generated',
      'migrations'
    )
    .option('--no-prove', 'do not prove that both locks decide alike')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule check',
        'twinrule check policies --format json',
        'twinrule check --database postgres://twinrule_service:...@db/app'
      )
    )
    .action(async (dir: string, options: CheckFlags) => end(await check(dir, options, io)))
}

interface CheckFlags {
  readonly database?: string
  readonly migrations: string
  readonly format: string
  readonly prove: boolean
}

async function check(dir: string, flags: CheckFlags, io: Io): Promise<number> {
  const { database, migrations, format, prove: proves } = flags
  const { bundle, problems } = await loadFolder(dir)
  const live =
    bundle === null || database === undefined
      ? null
      : await withClient(database, 'twinrule check', client => checkLive(client, bundle))
  const mistakes = problems.map(problem => ({ severity: 'error' as const, problem }))
  const edited = (await editedFiles(migrations)).map(problem => ({ severity: 'error' as const, problem }))
  print([...mistakes, ...edited, ...(live?.mismatches ?? [])], format, io)
  if (bundle === null) {
    const files = new Set(problems.map(problem => problem.span.file))
    io.err(`${count(problems.length, 'problem')} in ${count(files.size, 'file')}\n`)
    return EXIT.findings
  }
  const rules = bundle.resources.reduce((sum, resource) => sum + resource.rules.length, 0)
  io.err(
    `no problems: ${count(bundle.resources.length, 'resource')}, ${count(rules, 'rule')}, revision ${bundle.revision.slice(0, 12)}\n`
  )
  if (bundle.context === 'plain') io.err(PLAIN_CONTEXT)
  io.err(lockNote(bundle))
  const refuted = proves && !(await isProved(bundle, io))
  if (live !== null) io.err(`${liveSummary(live)}\n`)
  const wrong = live?.mismatches.some(({ severity }) => severity === 'error') ?? false
  if (edited.length > 0) io.err(`${count(edited.length, 'generated file')} edited\n`)
  return refuted || wrong || edited.length > 0 ? EXIT.findings : EXIT.ok
}

function print(mistakes: readonly Mismatch[], format: string, io: Io): void {
  if (format === 'json') {
    const list = mistakes.map(({ problem, severity }) => problemJson(problem, severity))
    io.out(`${JSON.stringify(list, null, 2)}\n`)
    return
  }
  for (const { problem, severity } of mistakes) io.out(problemText(problem, io.outColors, severity))
}

function liveSummary({ tables, columns, mismatches }: LiveCheck): string {
  const compared = `${count(tables, 'table')}, ${count(columns, 'column')}`
  if (mismatches.length === 0) return `the database fits: ${compared}`
  const errors = mismatches.filter(({ severity }) => severity === 'error').length
  return `the database: ${count(errors, 'error')}, ${count(mismatches.length - errors, 'warning')} (${compared})`
}

const PLAIN_CONTEXT = `note: \`context: plain\` gives up that contexts cannot be forged: whoever runs SQL as twinrule_app, by an
  injection too, can act as any user whose id it knows, administrators included
`

/** What DELETE gives away, where the policy leaves it to the default. */
function lockNote({ resources }: Bundle): string {
  const open = resources.filter(
    one =>
      one.table !== null &&
      one.deleteThrough === null &&
      deletesByStatement(one) &&
      one.rules.some(({ effect, actions }) => effect === 'allow' && actions.includes('delete'))
  )
  if (open.length === 0) return ''
  const names = open.map(({ name }) => name).join(', ')
  return `note: ${names}: who may DELETE may LOCK TABLE too, so SQL as twinrule_app can keep everybody from the table;
  \`delete_through: remove\` makes it a function, \`delete_through: statement\` says that it is meant so
`
}

/** A few seconds at most: what is larger is a matter of `twinrule prove`, and no finding here. */
const MODELS_OF_CHECK = 200_000

/** Whether nothing speaks against the proof. */
async function isProved(bundle: Bundle, io: Io): Promise<boolean> {
  const report = await prove(bundle, { maxModels: MODELS_OF_CHECK })
  const refuted = report.verdict === 'refuted' || report.verdict === 'not proved: unreadable SQL'
  io.err(`${proofSummary(report)}${report.verdict === 'proved' ? '' : '; run twinrule prove'}\n`)
  return !refuted
}
