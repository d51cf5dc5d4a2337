import type { ClientBase } from 'pg'
import type { ContextKey } from '../db/context-token.js'
import type { Bundle } from '../ir/model.js'
import type { Passwords } from './extras.js'
import type { IndexMode } from './indexes.js'
import type { LockOptions } from './locks.js'

/** What to migrate, and how. */
export interface MigrateOptions {
  /** A connected client of a superuser, which stays open; or the URL of one. */
  readonly database: string | ClientBase
  readonly bundle: Bundle
  /** The folder of the numbered migrations; by default the one that comes with twinrule. */
  readonly migrationsDir?: string
  readonly direction?: 'up' | 'down'
  /** How many migrations to undo, the generated part counting as the last one. Default 1. */
  readonly count?: number
  readonly passwords?: Passwords
  /** A key whose tokens count from now on; the same one again changes nothing. For signed contexts alone. */
  readonly contextKey?: ContextKey
  /** Whether to load the demo data afterwards. */
  readonly demo?: boolean
  /** Apply every generated object, and not only those that have changed. */
  readonly whole?: boolean
  /** Replace the policies that others made on tables of the policy. What they were is written down for the way back. */
  readonly adopt?: boolean
  readonly locks?: LockOptions
  /** How missing indexes are made, after the transaction. Default `concurrently`. */
  readonly indexes?: IndexMode
  /** Go on although row-level security of the server has known holes. */
  readonly allowOldServer?: boolean
  /** Takes the server's warnings, and a line for each time that another session is waited for. */
  readonly log?: (line: string) => void
}
