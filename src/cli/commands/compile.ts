import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { caslTemplates } from '../../backends/casl.js'
import { accessMigration } from '../../backends/sql/access.js'
import { stampState } from '../../backends/sql/generated.js'
import { ConfigError, PolicyError, PolicyProblems } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { editedFile } from '../../migrate/generated.js'
import { loadFolder } from '../../policy/load.js'
import { type Context, EXIT, examples } from '../command.js'
import type { Io } from '../io.js'
import { writeGenerated } from '../write-generated.js'

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
    .option('--check', 'write nothing, and exit 1 unless the file of --out is what would be written')
    .addHelpText(
      'after',
      examples(
        'twinrule compile --target casl',
        'twinrule compile policies --target sql --out migrations/access.sql',
        'twinrule compile policies --target sql --out migrations/access.sql --check'
      )
    )
    .action(async (dir: string, options: CompileOptions) => end(await compile(dir, options, io)))
}

interface CompileOptions {
  readonly target: string
  readonly out?: string
  readonly check?: boolean
}

async function compile(dir: string, { target, out, check }: CompileOptions, io: Io): Promise<number> {
  const { bundle, problems } = await loadFolder(dir)
  if (bundle === null) throw new PolicyProblems(problems)
  const text = TARGETS[target]?.(bundle) ?? ''
  if (out === undefined) {
    if (check === true) {
      throw new ConfigError('TWR_CONFIG', '--check has no file to look at', { hint: 'name it with --out' })
    }
    io.out(text)
    return EXIT.ok
  }
  if (check === true) return checkFile(out, text, io)
  const changed = await writeGenerated(out, text)
  io.err(
    `${changed ? 'wrote' : 'unchanged'} ${out} (${Buffer.byteLength(text)} bytes, revision ${bundle.revision.slice(0, 12)})\n`
  )
  return EXIT.ok
}

async function checkFile(file: string, text: string, io: Io): Promise<number> {
  const found = await readFile(file, 'utf8').catch(() => null)
  if (found?.replaceAll('\r\n', '\n') === text) {
    io.err(`${file} is what the policy compiles to\n`)
    return EXIT.ok
  }
  if (found !== null && stampState(found) === 'edited') throw editedFile(file)
  const span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  const what = found === null ? 'is not there' : 'is not what the policy compiles to'
  throw new PolicyError('TWR_GENERATED_STALE', `${file} ${what}`, span, 'run the same without --check')
}
