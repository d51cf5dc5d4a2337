import type { Command } from 'commander'
import { ConfigError } from '../../errors/errors.js'
import { type Io, variable } from '../io.js'

/**
 * The URL of the database to migrate. DATABASE_URL is the service's and is never read.
 *
 * @throws ConfigError TWR_CONFIG when there is none
 */
export function databaseOf(flags: { readonly database?: string }, io: Io): string {
  const url = flags.database ?? variable(io, 'TWINRULE_MIGRATE_DATABASE_URL')
  if (url) return url
  throw misuse('no database to migrate: --database and TWINRULE_MIGRATE_DATABASE_URL are not set')
}

/** A flag before a subcommand would be the other command's, and so be without effect. */
export function refuseBefore(migrate: Command, name: string): void {
  const given = migrate.options.find(option => migrate.getOptionValueSource(option.attributeName()) === 'cli')
  if (given !== undefined) throw misuse(`${given.long} goes after \`${name}\``)
}

/** Flags that do not fit together. */
export function misuse(message: string): ConfigError {
  return new ConfigError('TWR_CONFIG', message, { hint: '`twinrule migrate --help` shows how to use it' })
}
