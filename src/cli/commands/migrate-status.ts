import type { Command } from 'commander'
import { describeForeign } from '../../migrate/foreign.js'
import { type Inspection, inspect } from '../../migrate/inspect.js'
import type { PlanStep } from '../../migrate/plan.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import { bundleOf } from '../diff/side.js'
import type { Io } from '../io.js'
import { databaseOf, refuseBefore } from '../migrate/database.js'
import { extentOf } from '../migrate/plan-text.js'

interface StatusFlags {
  readonly database?: string
  readonly policies: string
  readonly migrations?: string
  readonly format: string
}

/** `twinrule migrate status`: what a database holds, and what is missing. */
export function registerMigrateStatus(migrate: Command, { io, end }: Context): void {
  migrate
    .command('status')
    .summary('show what a database holds and what a migration would change')
    .description(
      'Shows the migrations that were run, the revision that is there, and what a migration would change. Exits 0 when there is nothing to do, 1 when there is something.'
    )
    .option('-d, --database <url>', 'PostgreSQL URL of the database')
    .option('--policies <state>', 'the policies: a folder or a git revision', 'policies')
    .option('--migrations <dir>', 'the folder of the numbered migrations (default: those of twinrule)')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', examples('twinrule migrate status --database postgres://postgres@localhost/app'))
    .action(async (flags: StatusFlags) => {
      refuseBefore(migrate, 'status')
      end(await run(flags, io))
    })
}

async function run(flags: StatusFlags, io: Io): Promise<number> {
  const found = await inspect({
    database: databaseOf(flags, io),
    bundle: await bundleOf(flags.policies, '--policies', io),
    ...(flags.migrations === undefined ? {} : { migrationsDir: flags.migrations })
  })
  io.out(flags.format === 'json' ? `${JSON.stringify(jsonOf(found), null, 2)}\n` : textOf(found))
  return found.due ? EXIT.findings : EXIT.ok
}

const changedOf = ({ up }: Inspection): readonly PlanStep[] => up.filter(({ cause }) => cause !== 'always')

function jsonOf(found: Inspection): object {
  const { server, from, to, migratedAt, applied, migrations, due, foreign } = found
  return {
    server,
    revision: from,
    policies: to,
    migratedAt,
    applied,
    due,
    pendingMigrations: migrations.map(({ name }) => name),
    pendingObjects: changedOf(found).map(({ kind, name, table, cause }) => ({ kind, name, table, cause })),
    missingIndexes: found.indexes,
    foreign
  }
}

function textOf(found: Inspection): string {
  const { server, from, to, migratedAt, applied, migrations, foreign } = found
  const when = migratedAt === null ? '' : `, since ${migratedAt.toISOString()}`
  const lines: readonly (readonly [string, string])[] = [
    ['server', `PostgreSQL ${server}`],
    ['revision', from === null ? 'none' : `${from}${when}`],
    ...(from === to ? [] : [['policies', to] as const]),
    ...applied.map(({ name, at }) => ['applied', `${name}, ${at.toISOString()}`] as const),
    ...migrations.map(({ name }) => ['pending', `migration ${name}`] as const),
    ...shown(changedOf(found)).map(text => ['pending', text] as const),
    ...found.indexes.map(({ name }) => ['pending', `index ${name}`] as const),
    ...foreign.map(policy => ['by others', describeForeign(policy)] as const),
    ['to do', extentOf(found)]
  ]
  return lines.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join('')
}

/** A fresh database lacks everything: then the number will do. */
const SHOWN_OBJECTS = 30

function shown(steps: readonly PlanStep[]): readonly string[] {
  if (steps.length > SHOWN_OBJECTS) return [`${steps.length} objects`]
  return steps.map(({ kind, name, table, cause }) => {
    return `${kind} ${name}${table === null || table === name ? '' : ` on ${table}`} (${cause})`
  })
}
