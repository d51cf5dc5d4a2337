import type { Command } from 'commander'
import { createIndex } from '../../backends/sql/indexes.js'
import { describeForeign } from '../../migrate/foreign.js'
import { type Inspection, inspect, type Plan, planBetween } from '../../migrate/inspect.js'
import { lockedTables } from '../../migrate/plan.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import { bundleOf } from '../diff/side.js'
import type { Io } from '../io.js'
import { databaseOf, misuse, refuseBefore } from '../migrate/database.js'
import { extentOf, planText } from '../migrate/plan-text.js'
import { writeGenerated } from '../write-generated.js'

const DESCRIPTION = `Prints the SQL that \`twinrule migrate\` would run, and the SQL that leads back: from another state of the policies (--from), or from a database as it is (--database). Nothing is changed.

A state is a folder, a git revision (\`main\`: the folder "policies" of it), or both (\`main:path\`). Exits 0 when there is nothing to do, 1 when there is something, 2 when a side cannot be read, 3 when the database cannot.`

interface PlanFlags {
  readonly from?: string
  readonly database?: string
  readonly policies: string
  readonly migrations?: string
  readonly all?: boolean
  readonly adopt?: boolean
  readonly out?: string
  readonly format: string
}

/** `twinrule migrate plan`: what a migration would do. */
export function registerMigratePlan(migrate: Command, { io, end }: Context): void {
  migrate
    .command('plan')
    .summary('print the SQL of the way there and of the way back')
    .description(DESCRIPTION)
    .option('--from <state>', 'the policies before: a folder or a git revision')
    .option('-d, --database <url>', 'PostgreSQL URL of the database to start from')
    .option('--policies <state>', 'the policies after: a folder or a git revision', 'policies')
    .option('--migrations <dir>', 'the folder of the numbered migrations (default: those of twinrule)')
    .option('--all', 'every generated object, and not only what has changed')
    .option('--adopt', 'replace the policies that others made on tables of the policy')
    .option('-o, --out <file>', 'write to a file, whole or not at all, instead of standard output')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule migrate plan --from main',
        'twinrule migrate plan --database postgres://postgres@localhost/app --format json'
      )
    )
    .action(async (flags: PlanFlags) => {
      refuseBefore(migrate, 'plan')
      end(await run(flags, io))
    })
}

async function run(flags: PlanFlags, io: Io): Promise<number> {
  const plan =
    flags.from === undefined ? await fromDatabase(flags, io) : await fromState(flags.from, flags, io)
  const text = flags.format === 'json' ? `${JSON.stringify(jsonOf(plan), null, 2)}\n` : planText(plan)
  if (flags.out === undefined) io.out(text)
  else await writeGenerated(flags.out, text)
  io.err(`${extentOf(plan)}\n`)
  return plan.due ? EXIT.findings : EXIT.ok
}

async function fromState(from: string, flags: PlanFlags, io: Io): Promise<Plan> {
  for (const name of ['database', 'migrations', 'all', 'adopt'] as const) {
    if (flags[name] !== undefined) throw misuse(`--${name} does not go with --from`)
  }
  return planBetween(await bundleOf(from, '--from', io), await bundleOf(flags.policies, '--policies', io))
}

async function fromDatabase(flags: PlanFlags, io: Io): Promise<Inspection> {
  const database = databaseOf(flags, io)
  const found = await inspect({
    database,
    bundle: await bundleOf(flags.policies, '--policies', io),
    whole: flags.all === true,
    adopt: flags.adopt === true,
    ...(flags.migrations === undefined ? {} : { migrationsDir: flags.migrations })
  })
  if (flags.adopt === true) return found
  for (const policy of found.foreign) io.err(`in the way, made by others: ${describeForeign(policy)}\n`)
  if (found.foreign.length > 0) io.err('a migration is refused unless it has --adopt\n')
  return found
}

function jsonOf(plan: Plan | Inspection): object {
  const { from, to, due, adopt, migrations, up, down, restore } = plan
  const indexes = plan.indexes.map(index => ({ ...index, sql: String(createIndex(index, true)) }))
  const foreign = 'foreign' in plan ? { foreign: plan.foreign } : {}
  return { from, to, due, locks: lockedTables(up), adopt, migrations, up, indexes, down, restore, ...foreign }
}
