import { Argument, type Command } from 'commander'
import type { ClientBase } from 'pg'
import { withClient } from '../../db/client.js'
import { type ContextKey, contextKey } from '../../db/context-token.js'
import { ALLOW_OLD } from '../../db/server-version.js'
import { verifyDatabase } from '../../drift/verify.js'
import { PolicyProblems } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { migrate } from '../../migrate/migrate.js'
import { loadFolder } from '../../policy/load.js'
import { type Context, EXIT, examples, formatOption, parseCount } from '../command.js'
import { serviceUrl } from '../database-url.js'
import { type Io, variable } from '../io.js'
import { databaseOf, misuse } from '../migrate/database.js'
import { count } from '../problems.js'
import { ownVersion } from '../version.js'
import { registerMigratePlan } from './migrate-plan.js'
import { registerMigrateStatus } from './migrate-status.js'

const DESCRIPTION = `Brings a database from any earlier state to the policies, in one transaction; the second time it does nothing.

It needs the login of a superuser: roles, their attributes and rows behind forced row-level security need one. Give its URL with --database or TWINRULE_MIGRATE_DATABASE_URL; the service's own login must not be one. DATABASE_URL is not read. TWINRULE_SERVICE_PASSWORD and TWINRULE_APP_PASSWORD, when set, become the passwords of the logins twinrule_service and twinrule_app; TWINRULE_CONTEXT_KEY, when set, becomes a key with which applications sign contexts.`

interface MigrateFlags {
  readonly database?: string
  readonly policies: string
  readonly migrations?: string
  readonly demo?: boolean
  readonly count?: number
  readonly all?: boolean
  readonly adopt?: boolean
  readonly lockTimeout?: number
  readonly attempts?: number
  readonly indexes: boolean
  readonly format: string
}

/** `twinrule migrate [direction]`: the database to the policies, or back. */
export function registerMigrate(program: Command, context: Context): void {
  const { io, end } = context
  const command = program
    .command('migrate')
    .summary('bring a database to the policies, or back')
    .description(DESCRIPTION)
    .enablePositionalOptions()
    .addArgument(new Argument('[direction]', 'where to go').choices(['up', 'down']).default('up'))
    .option('-d, --database <url>', 'PostgreSQL URL of a superuser')
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .option('--migrations <dir>', 'the folder of the numbered migrations (default: those of twinrule)')
    .option('--demo', 'load the demo data afterwards, for a first look')
    .option('--count <n>', 'how many migrations to undo, the generated part is the last one', parseCount)
    .option('--adopt', 'replace the policies that others made on tables of the policy; down brings them back')
    .option('--all', 'apply every generated object, and not only what has changed')
    .option(
      '--lock-timeout <ms>',
      'how long others may wait behind this for a table (default: 500)',
      parseCount
    )
    .option('--attempts <n>', 'how often to try while others hold a table (default: 30)', parseCount)
    .option('--no-indexes', 'make and drop no indexes')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule migrate --database postgres://postgres@localhost/app',
        'twinrule migrate down --count 1 --database postgres://postgres@localhost/app'
      )
    )
    .action(async (direction: 'up' | 'down', flags: MigrateFlags) => end(await run(direction, flags, io)))
  registerMigratePlan(command, context)
  registerMigrateStatus(command, context)
}

async function run(direction: 'up' | 'down', flags: MigrateFlags, io: Io): Promise<number> {
  checkFlags(direction, flags)
  const database = databaseOf(flags, io)
  const { bundle, problems } = await loadFolder(flags.policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const { steps } = await migrate({
    database,
    bundle,
    direction,
    demo: flags.demo === true,
    whole: flags.all === true,
    adopt: flags.adopt === true,
    locks: {
      ...(flags.lockTimeout === undefined ? {} : { timeoutMs: flags.lockTimeout }),
      ...(flags.attempts === undefined ? {} : { attempts: flags.attempts })
    },
    passwords: {
      service: variable(io, 'TWINRULE_SERVICE_PASSWORD'),
      app: variable(io, 'TWINRULE_APP_PASSWORD')
    },
    indexes: flags.indexes ? 'concurrently' : 'none',
    allowOldServer: variable(io, ALLOW_OLD) === '1',
    ...contextKeyOf(io),
    log: line => io.err(`${line}\n`),
    ...(flags.migrations === undefined ? {} : { migrationsDir: flags.migrations }),
    ...(flags.count === undefined ? {} : { count: flags.count })
  })
  if (direction === 'up') await verify(database, bundle, io)
  const result = JSON.stringify({ direction, revision: bundle.revision, steps }, null, 2)
  io.out(flags.format === 'json' ? `${result}\n` : steps.map(step => `${step}\n`).join(''))
  io.err(steps.length === 0 ? 'nothing to do\n' : `${count(steps.length, 'step')} done\n`)
  if (direction === 'up') io.err(`the service connects with DATABASE_URL=${serviceUrl(database)}\n`)
  return EXIT.ok
}

/** Findings that are named. */
const SHOWN = 5

/** Looks for drift once, so that the starts of the service need not. The migration stands whatever comes of it. */
async function verify(database: string, bundle: Bundle, io: Io): Promise<void> {
  const warn = (words: string) => io.err(`warning: ${words}\n`)
  try {
    const work = (client: ClientBase) => verifyDatabase(client, bundle, { version: ownVersion() })
    const { findings } = await withClient(database, 'twinrule migrate', work)
    for (const { message } of findings.slice(0, SHOWN)) warn(message)
    if (findings.length > SHOWN) warn(`and ${findings.length - SHOWN} more: \`twinrule drift\` shows them`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    warn(`the database was not looked at for drift, so the service will do it at each start: ${why}`)
  }
}

/** The key that applications sign with, so that a deployment brings it along. */
function contextKeyOf(io: Io): { readonly contextKey?: ContextKey } {
  const text = variable(io, 'TWINRULE_CONTEXT_KEY')
  return text === undefined ? {} : { contextKey: contextKey(text) }
}

function checkFlags(direction: string, flags: MigrateFlags): void {
  if (direction === 'up' && flags.count !== undefined) throw misuse('--count goes with `down`')
  if (direction === 'down' && flags.demo === true) throw misuse('--demo goes with `up`')
  if (direction === 'down' && flags.all === true) throw misuse('--all goes with `up`')
  if (direction === 'down' && flags.adopt === true) throw misuse('--adopt goes with `up`')
}
