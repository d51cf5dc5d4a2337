import type { Command } from 'commander'
import type { ClientBase } from 'pg'
import { withClient } from '../../db/client.js'
import {
  type ContextKey,
  contextKey,
  contextKeyText,
  contextToken,
  newContextKey
} from '../../db/context-token.js'
import { databaseFault } from '../../db/fault.js'
import { ConfigError } from '../../errors/errors.js'
import { addKey, type KnownKey, listKeys, retireKey } from '../../migrate/keys.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import { type Io, variable } from '../io.js'

const DESCRIPTION = `The keys with which applications sign the context of a transaction: for which user of which tenant it works.

To rotate: add a key, give it to the applications, and retire the old one when none uses it. The database login is that of twinrule migrate, given with --database or TWINRULE_MIGRATE_DATABASE_URL.`

interface KeyFlags {
  readonly database?: string
  readonly format: string
}

/** `twinrule keys`: list, add, retire, and a token to try things with. */
export function registerKeys(program: Command, { io, end }: Context): void {
  const keys = program
    .command('keys')
    .summary('the keys that sign tenant contexts')
    .description(DESCRIPTION)
    .addHelpText(
      'after',
      examples(
        'twinrule keys add app-2 --database postgres://postgres@localhost/app',
        'twinrule keys retire app-1'
      )
    )
  const onDatabase = (name: string, summary: string) =>
    keys
      .command(name)
      .summary(summary)
      .description(summary)
      .option('-d, --database <url>', 'PostgreSQL URL of the login that migrates')
      .addOption(formatOption('text', 'json'))
  onDatabase('list', 'show the keys, without their secrets').action(async (flags: KeyFlags) =>
    end(await list(flags, io))
  )
  onDatabase('add', 'make a key, or take that of TWINRULE_CONTEXT_KEY, and let its tokens count')
    .argument('[kid]', 'the name of a new key')
    .action(async (kid: string | undefined, flags: KeyFlags) => end(await add(kid, flags, io)))
  onDatabase('retire', 'refuse the tokens of a key from now on')
    .argument('<kid>', 'the name of the key')
    .action(async (kid: string, flags: KeyFlags) => end(await retire(kid, flags, io)))
  keys
    .command('token')
    .summary('print a token made with TWINRULE_CONTEXT_KEY, for a look with psql')
    .description('Prints a token made with TWINRULE_CONTEXT_KEY, valid for 60 seconds, for a look with psql.')
    .requiredOption('--user <uuid>', 'the user')
    .requiredOption('--tenant <uuid>', 'the tenant in which the user acts')
    .action((flags: { user: string; tenant: string }) => {
      const key = keyFrom(io) ?? refuseKey('TWINRULE_CONTEXT_KEY is not set')
      io.out(`${contextToken(key, { userId: flags.user, tenantId: flags.tenant })}\n`)
      end(EXIT.ok)
    })
}

async function list(flags: KeyFlags, io: Io): Promise<number> {
  const keys = await onClient(flags, io, listKeys)
  io.out(flags.format === 'json' ? json({ keys }) : keys.map(line).join(''))
  if (keys.length === 0) io.err('no key: `twinrule keys add KID` makes one\n')
  return EXIT.ok
}

function line({ kid, createdAt, retiredAt }: KnownKey): string {
  const state = retiredAt === null ? 'counts' : `retired ${retiredAt.toISOString()}`
  return `${kid}  added ${createdAt.toISOString()}  ${state}\n`
}

async function add(kid: string | undefined, flags: KeyFlags, io: Io): Promise<number> {
  const given = keyFrom(io)
  if (kid !== undefined && given !== undefined && kid !== given.kid) {
    refuseKey(`TWINRULE_CONTEXT_KEY is a key called ${given.kid}`, 'unset it to make a new key')
  }
  const key = given ?? newContextKey(kid ?? refuseKey('the new key has no name', 'twinrule keys add KID'))
  const added = await onClient(flags, io, client => addKey(client, key))
  // a key that the caller has already is not shown again
  const shown = given === undefined ? contextKeyText(key) : null
  const asJson = json({ kid: key.kid, added, ...(shown === null ? {} : { key: shown }) })
  const text = shown === null ? '' : `TWINRULE_CONTEXT_KEY=${shown}\n`
  io.out(flags.format === 'json' ? asJson : text)
  io.err(added ? `tokens of ${key.kid} count now\n` : `tokens of ${key.kid} count already\n`)
  if (shown !== null)
    io.err('this is the only time the key is shown: give it to the applications that sign contexts\n')
  return EXIT.ok
}

async function retire(kid: string, flags: KeyFlags, io: Io): Promise<number> {
  const key = await onClient(flags, io, client => retireKey(client, kid))
  io.out(flags.format === 'json' ? json(key) : line(key))
  return EXIT.ok
}

async function onClient<T>(flags: KeyFlags, io: Io, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const url = flags.database ?? variable(io, 'TWINRULE_MIGRATE_DATABASE_URL')
  if (url === undefined) {
    return refuseKey('no database: --database and TWINRULE_MIGRATE_DATABASE_URL are not set')
  }
  return withClient(url, 'twinrule keys', async client => {
    try {
      return await work(client)
    } catch (cause) {
      throw databaseFault(cause)
    }
  })
}

function keyFrom(io: Io): ContextKey | undefined {
  const text = variable(io, 'TWINRULE_CONTEXT_KEY')
  return text === undefined ? undefined : contextKey(text)
}

function refuseKey(message: string, hint = '`twinrule keys --help` shows how to use it'): never {
  throw new ConfigError('TWR_CONFIG', message, { hint })
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
