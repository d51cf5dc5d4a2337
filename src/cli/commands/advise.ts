import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { advise } from '../../advise/advise.js'
import type { Principal } from '../../advise/explain.js'
import { busiestStatements, readStatements } from '../../advise/statements.js'
import { ROLES } from '../../backends/sql/names.js'
import { withClient } from '../../db/client.js'
import { databaseFault } from '../../db/fault.js'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { adviceText } from '../advise-text.js'
import { type Context, EXIT, examples, formatOption, parseCount } from '../command.js'
import { type Io, variable } from '../io.js'

const DESCRIPTION = `Says what your SELECT statements cost under row-level security, as users that you name: how each table is read, what the policies ask of each row, which tests have an index that they cannot use because their operator is not leakproof, and which index would help, measured on a copy.

The login is a superuser's. Everything happens in one transaction that is rolled back: statements are run, read only, and copies of tables with up to --rows rows are made for the indexes. Nothing locks your tables more than a SELECT. Without a file the statements are the busiest ones of pg_stat_statements. These, and statements with $1, are explained and not run, so no index is tried for them.`

const BUSIEST = 20
const ROWS = 100_000
const ID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/

interface Flags {
  readonly database?: string
  readonly policies: string
  readonly as: readonly Principal[]
  readonly rows: number
  readonly format: string
}

/** `twinrule advise [FILE]`: what statements cost under row-level security, and which index would help. */
export function registerAdvise(program: Command, { io, end }: Context): void {
  program
    .command('advise')
    .summary('say what statements cost under row-level security, and which index would help')
    .description(DESCRIPTION)
    .argument('[file]', 'SELECT statements (default: the busiest ones of pg_stat_statements)')
    .requiredOption(
      '--as <user:tenant>',
      'the ids of a user and a tenant; may be given several times',
      principals
    )
    .option('-d, --database <url>', 'PostgreSQL URL of a superuser (default: DATABASE_URL)')
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .option('--rows <n>', 'the most rows of a copy', parseCount, ROWS)
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule advise queries.sql --as $USER:$TENANT --database postgres://postgres@localhost/app',
        'twinrule advise --as $USER:$BIG_TENANT --as $OTHER:$SMALL_TENANT --database $URL'
      )
    )
    .action(async (file: string | undefined, flags: Flags) => end(await adviseOn(file, flags, io)))
}

function principals(text: string, before: readonly Principal[] = []): readonly Principal[] {
  const [user = '', tenant = '', ...rest] = text.split(':')
  if (!ID.test(user) || !ID.test(tenant) || rest.length > 0) {
    throw new InvalidArgumentError('It must be the uuid of a user, a colon and the uuid of a tenant.')
  }
  return [...before, { user, tenant }]
}

async function adviseOn(file: string | undefined, flags: Flags, io: Io): Promise<number> {
  const url = flags.database ?? variable(io, 'DATABASE_URL')
  if (url === undefined) throw misuse('no database: --database and DATABASE_URL are not set')
  const { bundle, problems } = await loadFolder(flags.policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const written = file === undefined ? null : await readStatements(await contentOf(file))
  if (written !== null && written.others > 0)
    io.err(`${written.others} statements are no SELECT and were left out\n`)
  const advice = await withClient(url, 'twinrule advise', async client => {
    const statements = written?.statements ?? (await busiestStatements(client, ROLES.app, BUSIEST))
    if (statements.length === 0) throw misuse('there are no SELECT statements to look at')
    const options = { principals: flags.as, statements, rows: flags.rows }
    return advise(client, bundle, options).catch(cause => {
      throw databaseFault(cause)
    })
  })
  io.out(
    flags.format === 'json' ? `${JSON.stringify({ advice }, null, 2)}\n` : adviceText(advice, io.outColors)
  )
  return advice.some(({ error }) => error !== null) ? EXIT.findings : EXIT.ok
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw misuse(`${file} cannot be read`, cause)
  }
}

function misuse(message: string, cause?: unknown): ConfigError {
  return new ConfigError('TWR_CONFIG', message, {
    hint: '`twinrule advise --help` shows how to use it',
    cause
  })
}
