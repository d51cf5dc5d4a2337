import type { Command } from 'commander'
import { loadFolder } from '../../policy/load.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import type { Io } from '../io.js'
import { count, problemJson, problemText } from '../problems.js'

/** `twinrule check [dir]`: every mistake in a policy folder. */
export function registerCheck(program: Command, { io, end }: Context): void {
  program
    .command('check')
    .summary('report every mistake in the policy files')
    .description(
      'Reads every *.yaml file below a folder and reports each mistake by file, line and column. Exits 1 if there is one.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', examples('twinrule check', 'twinrule check policies --format json'))
    .action(async (dir: string, { format }: { format: string }) => end(await check(dir, format, io)))
}

async function check(dir: string, format: string, io: Io): Promise<number> {
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
  return EXIT.ok
}
