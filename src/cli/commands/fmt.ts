import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { namesBelow, readText, shownPath, YAML_FILE } from '../../policy/files.js'
import { formatTexts } from '../../policy/format/format.js'
import { type Context, EXIT, examples } from '../command.js'
import type { Io } from '../io.js'
import { count } from '../problems.js'
import { writeWhole } from '../write-file.js'

/** `twinrule fmt [dir]`: the policy and test files in their one form. */
export function registerFmt(program: Command, { io, end }: Context): void {
  program
    .command('fmt')
    .summary('write the policy files in their one form')
    .description(
      'Formats the policy and test files of a folder: indentation, quotes, long lines, spaces in conditions. Comments stay, order stays, and so does the revision of the policy; files for which that is not so are not written. Names the files that it changes.'
    )
    .argument('[dir]', 'the folder of the policy and test files', 'policies')
    .option('--check', 'change nothing; exit 1 when a file is in another form')
    .addHelpText('after', examples('twinrule fmt', 'twinrule fmt policies --check'))
    .action(async (dir: string, options: { check?: boolean }) => end(await fmt(dir, options, io)))
}

async function fmt(dir: string, { check = false }: { check?: boolean }, io: Io): Promise<number> {
  const before = await readAll(dir)
  const { texts, problems } = formatTexts(before)
  if (problems.length > 0) throw new PolicyProblems(problems)
  const changed = Object.entries(texts).filter(([file, text]) => before[file] !== text)
  if (!check) for (const [file, text] of changed) await writeWhole(file, text)
  io.out(changed.map(([file]) => `${file}\n`).join(''))
  const said = check ? 'in another form' : 'formatted'
  io.err(`${count(changed.length, 'file')} of ${Object.keys(texts).length} ${said}\n`)
  return check && changed.length > 0 ? EXIT.findings : EXIT.ok
}

async function readAll(dir: string): Promise<Readonly<Record<string, string>>> {
  let names: readonly string[] = []
  try {
    names = await namesBelow(dir, YAML_FILE)
  } catch {
    // the same as a folder that holds none
  }
  if (names.length === 0) {
    throw new ConfigError('TWR_CONFIG', `there is no *.yaml file in ${dir}`, {
      hint: 'name the folder of your policy files, for example `policies`'
    })
  }
  const paths = names.map(name => shownPath(join(dir, name)))
  return Object.fromEntries(await Promise.all(paths.map(async path => [path, await readText(path)] as const)))
}
