import type { Command } from 'commander'
import { type Context, EXIT, examples } from '../command.js'
import { type ServeOptions, startService } from '../serve/service.js'

const DESCRIPTION = `Answers \`POST /authorize\` with decisions. Settings come from the environment:
  HOST, PORT         where to listen (127.0.0.1, 8080)
  DATABASE_URL       PostgreSQL URL of the login twinrule_service, which
                     \`twinrule migrate\` creates. Without it an embedded
                     database runs, for a first look
  TWINRULE_API_KEYS  the keys that callers present, separated by commas; needed
                     with DATABASE_URL and with --stateless
  TWINRULE_DATA_DIR  where the embedded database keeps its data (.twinrule/data)
  LOG_LEVEL          fatal, error, warn, info, debug, trace or silent (info);
                     logs go to standard error`

/** `twinrule serve`: the decision service. It runs until a signal ends it. */
export function registerServe(program: Command, { io, end }: Context): void {
  program
    .command('serve')
    .summary('run the decision service')
    .description(DESCRIPTION)
    .option('--policies <dir>', 'the folder of the policy files', 'policies')
    .option(
      '--migrations <dir>',
      'the numbered migrations of the embedded database (default: those of twinrule)'
    )
    .option('--demo', 'load the demo data into the embedded database, and print requests to try')
    .option(
      '--stateless',
      'no database: callers send all attributes of subject and resource, and are believed'
    )
    .addHelpText(
      'after',
      examples(
        'twinrule serve --demo',
        'twinrule serve --policies policies --migrations db',
        'TWINRULE_API_KEYS=... twinrule serve --stateless',
        'DATABASE_URL=postgres://twinrule_service:...@db/app TWINRULE_API_KEYS=... twinrule serve'
      )
    )
    .action(async (options: ServeOptions) => {
      await startService(options, io)
      end(EXIT.ok)
    })
}
