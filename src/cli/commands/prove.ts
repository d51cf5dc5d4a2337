import { type Command, InvalidArgumentError } from 'commander'
import { PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { prove } from '../../prove/prove.js'
import { MAX_MODELS } from '../../prove/resource.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import type { Io } from '../io.js'
import { proofText } from '../prove-text.js'

/** `twinrule prove [dir]`: whether the app and the emitted SQL decide alike, and keep the policy's invariants. */
export function registerProve(program: Command, { io, end }: Context): void {
  program
    .command('prove')
    .summary('prove that both locks decide alike, and the invariants')
    .description(
      'Proves, without a database, that the application and the generated SQL decide alike\nfor every principal and row, and that the rules keep the invariants of the policy.\nExits 1 if they do not, or if that is not proved.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .option(
      '--max-models <n>',
      'the most cases to compare for one resource or invariant',
      parseModels,
      MAX_MODELS
    )
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', examples('twinrule prove', 'twinrule prove policies --format json'))
    .action(async (dir: string, options: ProveFlags) => end(await proveFolder(dir, options, io)))
}

interface ProveFlags {
  readonly maxModels: number
  readonly format: string
}

async function proveFolder(dir: string, { maxModels, format }: ProveFlags, io: Io): Promise<number> {
  const { bundle, problems } = await loadFolder(dir)
  if (bundle === null) throw new PolicyProblems(problems)
  const report = await prove(bundle, {
    maxModels,
    onProgress: (about, done, all) => io.err(`${about}: ${Math.floor((done / all) * 100)} %\n`)
  })
  io.out(format === 'json' ? `${JSON.stringify(report, null, 2)}\n` : proofText(report, io.outColors))
  return report.verdict === 'proved' ? EXIT.ok : EXIT.findings
}

function parseModels(text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) {
    throw new InvalidArgumentError('It must be a whole number of at least 1.')
  }
  return Number(text)
}
