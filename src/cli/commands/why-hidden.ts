import type { Command } from 'commander'
import { createFactsReader } from '../../db/facts.js'
import { createPool } from '../../db/pool.js'
import { createEngine } from '../../engine/engine.js'
import { explanationText } from '../../engine/explain/text.js'
import { SUBJECT_TYPE } from '../../engine/question.js'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { questionsOf } from '../../ir/gates.js'
import type { Bundle } from '../../ir/model.js'
import { loadFolder } from '../../policy/load.js'
import { explainStored } from '../../server/why-hidden.js'
import { type Context, EXIT, examples, formatOption, parseCount } from '../command.js'
import { type Io, variable } from '../io.js'
import { marksOf } from '../marks.js'

const DESCRIPTION = `Says why a row of a live database is hidden from somebody, or why a write is refused: which rules were asked, test by test with the values that are stored, and the smallest change that would allow it. Nothing is changed.

The login is that of the service, twinrule_service, or a superuser: no login of applications may read what this reads. With --redact the answer can be shown to whoever asked: it does not tell a row that is hidden from one that is not there.`

interface Flags {
  readonly database?: string
  readonly policies: string
  readonly as: string
  readonly tenant?: string
  readonly action: string
  readonly changes?: string
  readonly redact?: boolean
  readonly all?: boolean
  readonly maxSteps?: number
  readonly format: string
}

/** `twinrule why-hidden RESOURCE ID`: why somebody does not see a row that is stored. */
export function registerWhyHidden(program: Command, { io, end }: Context): void {
  program
    .command('why-hidden')
    .summary('say why somebody does not see, or may not write, a row of a live database')
    .description(DESCRIPTION)
    .argument('<resource>', 'the type of the row, as the policy calls it')
    .argument('<id>', 'its id')
    .requiredOption('--as <user>', 'the id of the user')
    .option('--tenant <id>', 'the tenant in which the user acts (default: the only or the default one)')
    .option('-d, --database <url>', 'PostgreSQL URL of the login of the service (default: DATABASE_URL)')
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .option('--action <name>', 'what the user wants to do', 'read')
    .option('--changes <json>', 'for an update: the columns that change, with their new values')
    .option('--redact', 'leave out what the user may not read')
    .option('--all', 'show every rule, also those that did not matter')
    .option('--max-steps <n>', 'the most steps of the change that would allow it (default: 3)', parseCount)
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule why-hidden agent 00000000-0000-0000-0002-000000000004 --as 00000000-0000-0000-0001-00000000000a',
        'twinrule why-hidden agent $ID --as $USER --tenant $TENANT --action update --changes \'{"name":"New"}\''
      )
    )
    .action(async (type: string, id: string, flags: Flags) => end(await whyHidden(type, id, flags, io)))
}

async function whyHidden(type: string, id: string, flags: Flags, io: Io): Promise<number> {
  const url = flags.database ?? variable(io, 'DATABASE_URL')
  if (!url) throw misuse('no database to look at: --database and DATABASE_URL are not set')
  const { bundle, problems } = await loadFolder(flags.policies)
  if (bundle === null) throw new PolicyProblems(problems)
  checkNames(bundle, type, flags.action)
  const { redact = false, all = false, maxSteps, as: subject, tenant } = flags
  const question = {
    subject: {
      type: SUBJECT_TYPE,
      id: subject,
      ...(tenant === undefined ? {} : { properties: { tenant_id: tenant } })
    },
    action: {
      name: flags.action,
      ...(flags.changes === undefined ? {} : { properties: { changes: changesOf(flags.changes) } })
    },
    resource: { type, id }
  }
  const reader = createFactsReader(
    createPool(url, { size: 1, connectTimeoutMs: TIMEOUT_MS, statementTimeoutMs: TIMEOUT_MS })
  )
  try {
    const { explanation, enterRole } = await explainStored(createEngine(bundle), reader, question, {
      redact,
      timeoutMs: 2 * TIMEOUT_MS,
      ...(maxSteps === undefined ? {} : { maxSteps })
    })
    const text = () => explanationText(explanation, { marks: marksOf(io.outColors), all, brief: !all })
    io.out(flags.format === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : text())
    if (enterRole !== null) {
      io.err(`in SQL only after SELECT twinrule.enter_role('${enterRole}'): nobody has the role before\n`)
    }
    return explanation.principal === null ? EXIT.findings : EXIT.ok
  } finally {
    await reader.close()
  }
}

const TIMEOUT_MS = 5000

/** A misspelt name is a mistake in the command and no denial. */
function checkNames(bundle: Bundle, type: string, action: string): void {
  const { resources } = bundle
  const resource = resources.find(({ name }) => name === type)
  if (resource === undefined) {
    throw misuse(`the policy has no resource ${type}: ${resources.map(({ name }) => name).join(', ')}`)
  }
  if (resource.table === null)
    throw misuse(`${type} has no table: \`twinrule explain\` takes its row from you`)
  const asked = questionsOf(bundle, action)
  if (asked === null) throw misuse(`the policy has no action ${action}`)
  if (!asked.some(({ row }) => row === 'old')) {
    throw misuse(`${action} is about a row that is not stored yet: \`twinrule explain\` takes it from you`)
  }
}

function changesOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {}
  throw misuse('--changes must be a JSON object')
}

const misuse = (message: string) =>
  new ConfigError('TWR_CONFIG', message, { hint: '`twinrule why-hidden --help` shows how to use it' })
