import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { createEngine } from '../../engine/engine.js'
import { explanationText } from '../../engine/explain/text.js'
import { SUBJECT_TYPE } from '../../engine/question.js'
import type { DecisionRequest } from '../../engine/request.js'
import { ConfigError, PolicyProblems } from '../../errors/errors.js'
import { loadFolder } from '../../policy/load.js'
import { readQuestion } from '../../server/validation.js'
import { type Context, EXIT, examples, formatOption, parseCount } from '../command.js'
import type { Io } from '../io.js'
import { marksOf } from '../marks.js'

const DESCRIPTION = `Explains one decision: which rules made it, test by test with the values, and for a deny the smallest change that would allow it.

REQUEST is a file with the question as JSON, in the form of \`POST /authorize\`, or - for standard input. Without it the flags say what is asked. All attributes come from the request: nothing is read from a database.`

interface ExplainFlags {
  readonly policies: string
  readonly as?: string
  readonly action?: string
  readonly on?: string
  readonly row?: string
  readonly changes?: string
  readonly redact?: boolean
  readonly all?: boolean
  readonly maxSteps?: number
  readonly format: string
}

/** \`twinrule explain [request]\`: why a request is allowed or denied. */
export function registerExplain(program: Command, { io, end }: Context): void {
  program
    .command('explain')
    .summary('say why a request is allowed or denied, and what would allow it')
    .description(DESCRIPTION)
    .argument('[request]', 'a file with the question, or - for standard input')
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .option('--as <json>', 'the attributes of whoever asks, `id` among them')
    .option('--action <name>', 'what is asked for')
    .option('--on <type>', 'the type of the row')
    .option('--row <json>', 'the columns of the row, `id` among them, and its related rows')
    .option('--changes <json>', 'for an update: the columns that change, with their new values')
    .option('--redact', 'leave out what whoever asks may not read')
    .option('--all', 'show every rule, also those that did not matter')
    .option('--max-steps <n>', 'the most steps of the change that would allow it (default: 3)', parseCount)
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      examples(
        'twinrule explain request.json',
        'twinrule explain --action read --on note --as \'{"id":"...","tenant_id":"..."}\' --row \'{"id":"...","tenant_id":"..."}\''
      )
    )
    .action(async (file: string | undefined, flags: ExplainFlags) => end(await explain(file, flags, io)))
}

async function explain(file: string | undefined, flags: ExplainFlags, io: Io): Promise<number> {
  const request = file === undefined ? fromFlags(flags) : await fromFile(file, flags, io)
  const { bundle, problems } = await loadFolder(flags.policies)
  if (bundle === null) throw new PolicyProblems(problems)
  const { redact = false, all = false, maxSteps } = flags
  const explanation = createEngine(bundle).explain(request, {
    redact,
    ...(maxSteps === undefined ? {} : { maxSteps })
  })
  io.out(
    flags.format === 'json'
      ? `${JSON.stringify(explanation, null, 2)}\n`
      : explanationText(explanation, { marks: marksOf(io.outColors), all })
  )
  return EXIT.ok
}

async function fromFile(file: string, flags: ExplainFlags, io: Io): Promise<DecisionRequest> {
  const given = (['as', 'action', 'on', 'row', 'changes'] as const).find(name => flags[name] !== undefined)
  if (given !== undefined) throw misuse(`--${given} and a request file: which of the two is asked?`)
  let text: string
  try {
    text = file === '-' ? await io.input() : await readFile(file, 'utf8')
  } catch (cause) {
    throw new ConfigError('TWR_CONFIG', `cannot read ${file}`, {
      cause,
      hint: 'name a file with the request as JSON'
    })
  }
  return asked(parsed(text, file === '-' ? 'standard input' : file))
}

function fromFlags({ as, action, on, row, changes }: ExplainFlags): DecisionRequest {
  if (as === undefined || action === undefined || on === undefined || row === undefined) {
    throw misuse('nothing is asked: name a request file, or --as, --action, --on and --row')
  }
  const { id: subject, ...properties } = object(as, '--as')
  const columns = object(row, '--row')
  return asked({
    subject: { type: SUBJECT_TYPE, id: subject, properties },
    action: {
      name: action,
      ...(changes === undefined ? {} : { properties: { changes: object(changes, '--changes') } })
    },
    // an id is text in a request, also where it is a number in the row
    resource: {
      type: on,
      id: typeof columns['id'] === 'number' ? String(columns['id']) : columns['id'],
      properties: columns
    }
  })
}

function asked(value: unknown): DecisionRequest {
  try {
    return readQuestion(value) as DecisionRequest
  } catch (cause) {
    throw misuse(`this is no request: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function object(text: string, name: string): Readonly<Record<string, unknown>> {
  const value = parsed(text, name)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw misuse(`${name} must be a JSON object`)
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw misuse(`${name} is not JSON`)
  }
}

const misuse = (message: string) =>
  new ConfigError('TWR_CONFIG', message, { hint: '`twinrule explain --help` shows how to use it' })
