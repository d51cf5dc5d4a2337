import type { Command } from 'commander'
import type { Bundle } from '../../ir/model.js'
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
      'Reads every *.yaml file below a folder and reports each mistake by file, line and column. Exits 1 if there is one.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .option('--no-prove', 'do not prove that both locks decide alike')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', examples('twinrule check', 'twinrule check policies --format json'))
    .action(async (dir: string, options: CheckFlags) => end(await check(dir, options, io)))
}

interface CheckFlags {
  readonly format: string
  readonly prove: boolean
}

async function check(dir: string, { format, prove: proves }: CheckFlags, io: Io): Promise<number> {
  const { bundle, problems } = await loadFolder(dir)
  if (format === 'json') io.out(`${JSON.stringify(problems.map(problemJson), null, 2)}\n`)
  else for (const problem of problems) io.out(problemText(problem, io.outColors))
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
  return proves ? checkProof(bundle, io) : EXIT.ok
}

const PLAIN_CONTEXT = `note: \`context: plain\` gives up that contexts cannot be forged: whoever runs SQL as twinrule_app, by an
  injection too, can act as any user whose id it knows, administrators included
`

/** A few seconds at most: what is larger is a matter of `twinrule prove`, and no finding here. */
const MODELS_OF_CHECK = 200_000

async function checkProof(bundle: Bundle, io: Io): Promise<number> {
  const report = await prove(bundle, { maxModels: MODELS_OF_CHECK })
  const refuted = report.verdict === 'refuted' || report.verdict === 'not proved: unreadable SQL'
  io.err(`${proofSummary(report)}${report.verdict === 'proved' ? '' : '; run twinrule prove'}\n`)
  return refuted ? EXIT.findings : EXIT.ok
}
