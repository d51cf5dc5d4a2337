import type { Command } from 'commander'
import { withClient } from '../../db/client.js'
import { createDriftCheck } from '../../drift/check.js'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { MAX_MODELS } from '../../prove/resource.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import { driftJson, driftMarkdown, driftSummary, driftText } from '../drift-text.js'
import { type Io, variable } from '../io.js'

const DESCRIPTION = `Compares a live database with what the policy compiles to and with what the last \`twinrule migrate\` left: policies, row-level security, grants, functions, triggers, roles and memberships, indexes, and whatever applications reach without row-level security. Changes nothing. Exits 1 if something differs.

Any login that may ask for the record will do: twinrule_service, or a superuser. Give its URL with --database or DATABASE_URL.`

interface DriftFlags {
  readonly database?: string
  readonly policies: string
  readonly format: string
}

/** `twinrule drift`: what somebody changed in a live database by hand. */
export function registerDrift(program: Command, { io, end }: Context): void {
  program
    .command('drift')
    .summary('find what was changed in a live database')
    .description(DESCRIPTION)
    .option('-d, --database <url>', 'PostgreSQL URL of twinrule_service or of a superuser')
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .addOption(formatOption('text', 'markdown', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule drift --database postgres://twinrule_service:...@db/app',
        'twinrule drift --database $URL --format markdown > comment.md'
      )
    )
    .action(async (flags: DriftFlags) => end(await drift(flags, io)))
}

async function drift({ database, policies, format }: DriftFlags, io: Io): Promise<number> {
  const url = database ?? variable(io, 'DATABASE_URL')
  if (!url) {
    throw new ConfigError('TWR_CONFIG', 'no database to look at: --database and DATABASE_URL are not set', {
      hint: '`twinrule drift --help` shows how to use it'
    })
  }
  const { bundle, problems } = await loadFolder(policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const check = createDriftCheck(bundle, { maxModels: MAX_MODELS })
  const report = await withClient(url, 'twinrule drift', check)
  if (format === 'json') io.out(driftJson(report))
  else io.out(format === 'markdown' ? driftMarkdown(report) : driftText(report, io.outColors))
  io.err(`${driftSummary(report)}\n`)
  return report.findings.length > 0 ? EXIT.findings : EXIT.ok
}
