import { type Command, Option } from 'commander'
import { caslTemplates } from '../../backends/casl.js'
import { accessMigration } from '../../backends/sql/access.js'
import { PolicyProblems } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { loadFolder } from '../../policy/load.js'
import { type Context, EXIT, examples } from '../command.js'
import type { Io } from '../io.js'
import { writeWhole } from '../write-file.js'

const TARGETS: Readonly<Record<string, (bundle: Bundle) => string>> = {
  sql: bundle => String(accessMigration(bundle)),
  casl: bundle => `${JSON.stringify(caslTemplates(bundle), null, 2)}\n`
}

/** `twinrule compile [dir]`: the policies as SQL or as CASL rules. The same folder gives the same bytes. */
export function registerCompile(program: Command, { io, end }: Context): void {
  program
    .command('compile')
    .summary('write the policies as SQL or as CASL rules')
    .description(
      'Compiles a policy folder. `sql` is the whole generated part of the database, to be run any number of times; `casl` is a JSON document of CASL rules for other programs. The same policies give the same bytes.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .addOption(
      new Option('-t, --target <target>', 'what to compile to')
        .choices(Object.keys(TARGETS))
        .makeOptionMandatory()
    )
    .option('-o, --out <file>', 'write to a file, whole or not at all, instead of standard output')
    .addHelpText(
      'after',
      examples(
        'twinrule compile --target casl',
        'twinrule compile policies --target sql --out migrations/access.sql'
      )
    )
    .action(async (dir: string, options: CompileOptions) => end(await compile(dir, options, io)))
}

interface CompileOptions {
  readonly target: string
  readonly out?: string
}

async function compile(dir: string, { target, out }: CompileOptions, io: Io): Promise<number> {
  const { bundle, problems } = await loadFolder(dir)
  if (bundle === null) throw new PolicyProblems(problems)
  const text = TARGETS[target]?.(bundle) ?? ''
  if (out === undefined) {
    io.out(text)
    return EXIT.ok
  }
  const changed = await writeWhole(out, text)
  io.err(
    `${changed ? 'wrote' : 'unchanged'} ${out} (${Buffer.byteLength(text)} bytes, revision ${bundle.revision.slice(0, 12)})\n`
  )
  return EXIT.ok
}
