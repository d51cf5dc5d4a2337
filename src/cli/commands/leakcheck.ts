import { randomInt } from 'node:crypto'
import type { Command } from 'commander'
import { LeakError, PolicyProblems } from '../../errors/errors.js'
import { readLeakFile } from '../../leakcheck/file.js'
import type { Findings } from '../../leakcheck/interleave.js'
import { leakcheck } from '../../leakcheck/leakcheck.js'
import type { LeakFile } from '../../leakcheck/request.js'
import { seeded } from '../../leakcheck/seeded.js'
import { readText, shownPath } from '../../policy/files.js'
import { type Context, EXIT, examples, formatOption, parseCount } from '../command.js'
import { type Io, variable } from '../io.js'
import { aloneText, findingsText } from '../leak-text.js'

const DESCRIPTION = `Looks for rows of the wrong tenant. It asks the requests of a file for each tenant alone, then for all of them at the same time, over one pool, while some are cancelled, fail or are given up in their middle. A row that a tenant gets then, but not alone, and that another one gets alone, is a leak: it is shown with what was asked before it. Nothing about row-level security or twinrule is needed for it.

Ask for rows that nobody changes meanwhile. Where requests write, point it at a copy.`

const REQUESTS = 5000
const CLIENTS = 12
/** After how many requests progress is told again. */
const STEP = 500

interface Flags {
  readonly database?: string
  readonly requests: number
  readonly clients: number
  readonly connections?: number
  readonly seed?: number
  readonly format: string
}

/** `twinrule leakcheck FILE`: rows of the wrong tenant, under load. */
export function registerLeakcheck(program: Command, { io, end }: Context): void {
  program
    .command('leakcheck')
    .summary('look for rows of the wrong tenant, under load and disturbances')
    .description(DESCRIPTION)
    .argument('[file]', 'what to ask, and for whom', 'leakcheck.yaml')
    .option(
      '-d, --database <url>',
      'for requests in SQL: the PostgreSQL URL of the application (default: DATABASE_URL)'
    )
    .option('--requests <n>', 'how many are sent', parseCount, REQUESTS)
    .option('--clients <n>', 'how many are sent at the same time', parseCount, CLIENTS)
    .option('--connections <n>', 'connections of the pool (default: a third of the clients)', parseCount)
    .option('--seed <n>', 'asks in the order of an earlier run', parseCount)
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule leakcheck --database postgres://app@localhost:6432/app',
        'twinrule leakcheck http.yaml --requests 20000'
      )
    )
    .action(async (file: string, flags: Flags) => end(await check(file, flags, io)))
}

async function check(file: string, flags: Flags, io: Io): Promise<number> {
  const checked = await fileOf(file, io)
  const { requests, clients } = flags
  const seed = flags.seed ?? randomInt(1, 1_000_000)
  const database = flags.database ?? variable(io, 'DATABASE_URL')
  io.err(`${requests} requests of ${checked.tenants.length} tenants by ${clients} clients, seed ${seed}\n`)
  let told = 0
  const findings = await leakcheck(checked, {
    requests,
    clients,
    connections: flags.connections ?? Math.ceil(clients / 3),
    random: seeded(seed),
    ...(database === undefined ? {} : { database }),
    onAlone: alone => io.err(aloneText(alone)),
    onProgress: count => {
      if (count < told + STEP) return
      told = count
      io.err(`${count} of ${requests}\n`)
    }
  })
  if (findings.answers === 0) {
    throw new LeakError(
      'TWR_LEAK_TARGET',
      `no request was answered: ${findings.failed.first ?? 'all were disturbed'}`
    )
  }
  io.out(flags.format === 'json' ? json(seed, findings) : findingsText(findings, io.outColors))
  return findings.leaks.length === 0 ? EXIT.ok : EXIT.findings
}

async function fileOf(file: string, io: Io): Promise<LeakFile> {
  let text: string
  try {
    text = await readText(file)
  } catch (cause) {
    throw new LeakError('TWR_LEAK_FILE', `${file} cannot be read`, {
      hint: 'docs/leakcheck.md shows a first one',
      cause
    })
  }
  const { checked, problems } = readLeakFile(shownPath(file), text, io.env)
  if (checked === null) throw new PolicyProblems(problems)
  return checked
}

function json(seed: number, findings: Findings): string {
  return `${JSON.stringify({ seed, ...findings }, null, 2)}\n`
}
