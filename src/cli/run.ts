import { Command, CommanderError } from 'commander'
import { type Context, EXIT, examples, report } from './command.js'
import type { Io } from './io.js'
import { ownVersion } from './version.js'

type Register = (program: Command, context: Context) => void

/** The commands, each loaded when it is needed: `serve` has no use for what proves, migrates and formats. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  advise: async () => (await import('./commands/advise.js')).registerAdvise,
  check: async () => (await import('./commands/check.js')).registerCheck,
  compile: async () => (await import('./commands/compile.js')).registerCompile,
  diff: async () => (await import('./commands/diff.js')).registerDiff,
  drift: async () => (await import('./commands/drift.js')).registerDrift,
  explain: async () => (await import('./commands/explain.js')).registerExplain,
  fmt: async () => (await import('./commands/fmt.js')).registerFmt,
  generate: async () => (await import('./commands/generate.js')).registerGenerate,
  keys: async () => (await import('./commands/keys.js')).registerKeys,
  leakcheck: async () => (await import('./commands/leakcheck.js')).registerLeakcheck,
  migrate: async () => (await import('./commands/migrate.js')).registerMigrate,
  prove: async () => (await import('./commands/prove.js')).registerProve,
  serve: async () => (await import('./commands/serve.js')).registerServe,
  test: async () => (await import('./commands/test.js')).registerTest,
  'why-hidden': async () => (await import('./commands/why-hidden.js')).registerWhyHidden
}

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
    const program = programOf(context)
    for (const register of await commandsFor(argv)) register(program, context)
    await program.parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io)
    // commander has printed the message; help that was asked for is no mistake
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
}

/** The command that is named; all of them when none is, for the help and for what is close to a misspelt name. */
function commandsFor([name]: readonly string[]): Promise<readonly Register[]> {
  const named = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  return Promise.all((named === undefined ? Object.values(COMMANDS) : [named]).map(load => load()))
}

function programOf({ io }: Context): Command {
  return (
    new Command('twinrule')
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
  )
}
