import { ROLES } from '../backends/sql/names.js'
import { DatabaseError, TwinruleError } from '../errors/errors.js'

/** SQLSTATEs that mean "not now" or "not you": the login, the connection, shutdown, resources (manual, appendix A). */
const UNREACHABLE = /^(?:08|28|53|57P0[1-5]|3D000)/
/** The schema, function or table of the facts is not there, or not for this login. */
const NOT_MIGRATED = new Set(['3F000', '42883', '42P01'])

/** What a login is for, and which one is. */
export interface LoginUse {
  readonly purpose: string
  readonly hint: string
}

const FACTS: LoginUse = {
  purpose: 'the facts of decisions',
  hint: `set DATABASE_URL to the login ${ROLES.service}, which \`twinrule migrate\` creates`
}
/** Reading lists. */
export const LISTS: LoginUse = {
  purpose: 'lists',
  hint: `log in as ${ROLES.app}, which \`twinrule migrate\` creates`
}

/** A failed statement or connection as a DatabaseError. The message names no value and no other tenant's id. */
export function databaseFault(cause: unknown, { purpose, hint } = FACTS): TwinruleError {
  if (cause instanceof TwinruleError) return cause
  const sqlstate = stateOf(cause)
  const why = cause instanceof Error ? cause.message : String(cause)
  if (sqlstate !== undefined && NOT_MIGRATED.has(sqlstate)) {
    return new DatabaseError('TWR_DB_NOT_MIGRATED', `the database holds no compiled policies: ${why}`, {
      sqlstate,
      hint: 'run `twinrule migrate --database URL` as a superuser',
      cause
    })
  }
  if (sqlstate === '42501') {
    return new DatabaseError('TWR_DB_UNSAFE_ROLE', `the login may not read ${purpose}: ${why}`, {
      sqlstate,
      hint,
      cause
    })
  }
  // without an SQLSTATE no statement ran: the socket, the pool or the client gave up
  if (sqlstate === undefined || UNREACHABLE.test(sqlstate)) {
    return new DatabaseError('TWR_DB_UNREACHABLE', `the database cannot be reached: ${why}`, {
      sqlstate,
      hint: 'check the URL, the password and that the server is running',
      cause
    })
  }
  return new DatabaseError('TWR_DB_FAULT', `a statement failed: ${why}`, { sqlstate, cause })
}

function stateOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined
  return typeof cause.code === 'string' && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined
}
