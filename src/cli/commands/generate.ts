import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { views } from '../../generate/generate.js'
import { loadFolder } from '../../policy/load.js'
import { type Context, EXIT, examples } from '../command.js'
import type { Io } from '../io.js'
import { count } from '../problems.js'
import { writeWhole } from '../write-file.js'

interface Flags {
  readonly out: string
  readonly check?: boolean
}

/** `twinrule generate [dir]`: views of the policy for people and for other programs. */
export function registerGenerate(program: Command, { io, end }: Context): void {
  program
    .command('generate')
    .summary('write TypeScript types, an access matrix and a diagram of the policies')
    .description(
      'Writes views of a policy folder: policy.ts (TypeScript types), access.md and access.html (who may do what, in words), resources.mmd (a Mermaid diagram) and casl.json (portable CASL rules). Names the files that it changes. The same policies give the same bytes.'
    )
    .argument('[dir]', 'the folder of the policy files', 'policies')
    .option('-o, --out <dir>', 'the folder to write to', 'generated')
    .option('--check', 'change nothing; exit 1 when a file is missing or not up to date')
    .addHelpText('after', examples('twinrule generate --out src/generated', 'twinrule generate --check'))
    .action(async (dir: string, flags: Flags) => end(await generate(dir, flags, io)))
}

async function generate(dir: string, { out, check = false }: Flags, io: Io): Promise<number> {
  const { bundle, problems } = await loadFolder(dir)
  if (bundle === null) throw new PolicyProblems(problems)
  const files = Object.entries(views(bundle)).map(([name, text]) => ({ path: join(out, name), text }))
  if (!check) await makeFolder(out)
  const stale: string[] = []
  for (const { path, text } of files) {
    const differs = check
      ? (await readFile(path, 'utf8').catch(() => null)) !== text
      : await writeWhole(path, text)
    if (differs) stale.push(path)
  }
  io.out(stale.map(path => `${path}\n`).join(''))
  io.err(`${count(stale.length, 'file')} of ${files.length} ${check ? 'not up to date' : 'written'}\n`)
  return check && stale.length > 0 ? EXIT.findings : EXIT.ok
}

async function makeFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError('TWR_CONFIG', `cannot write to ${out}: ${why}`, {
      cause,
      hint: 'name a folder with --out'
    })
  }
}
