import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { type Context, EXIT, examples, report } from './command.js'
import { registerCheck } from './commands/check.js'
import { registerCompile } from './commands/compile.js'
import { registerDiff } from './commands/diff.js'
import { registerDrift } from './commands/drift.js'
import { registerExplain } from './commands/explain.js'
import { registerFmt } from './commands/fmt.js'
import { registerGenerate } from './commands/generate.js'
import { registerKeys } from './commands/keys.js'
import { registerMigrate } from './commands/migrate.js'
import { registerProve } from './commands/prove.js'
import { registerServe } from './commands/serve.js'
import { registerTest } from './commands/test.js'
import { registerWhyHidden } from './commands/why-hidden.js'
import type { Io } from './io.js'

const COMMANDS = [
  registerCheck,
  registerCompile,
  registerDiff,
  registerDrift,
  registerExplain,
  registerFmt,
  registerGenerate,
  registerKeys,
  registerMigrate,
  registerProve,
  registerServe,
  registerTest,
  registerWhyHidden
]

/** Runs one command line (without the program's name) and gives its exit code. Never throws, never exits. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok
  const context: Context = {
    io,
    end: exitCode => {
      code = exitCode
    }
  }
  try {
    await programOf(context).parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io)
    // commander has printed the message; help that was asked for is no mistake
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
}

function programOf(context: Context): Command {
  const { io } = context
  const program = new Command('twinrule')
    .description('Write an authorization rule once, enforce it in the application and in PostgreSQL.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    // an option belongs to the command that it stands behind
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for how to use it)')
    .configureOutput({ writeOut: text => io.out(text), writeErr: text => io.err(text) })
    .addHelpText(
      'after',
      `${examples('twinrule check policies', 'twinrule serve --demo')}

Exit codes: 0 fine, 1 findings, 2 usage or configuration, 3 database, 78 unsafe or unmigrated database.`
    )
  for (const register of COMMANDS) register(program, context)
  return program
}

function ownVersion(): string {
  const own: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return (own as { version: string }).version
}
