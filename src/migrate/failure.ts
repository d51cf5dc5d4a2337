import { DatabaseError, TwinruleError } from '../errors/errors.js'

interface ServerFault {
  readonly message: string
  readonly code?: string
  readonly hint?: string
  readonly detail?: string
  readonly where?: string
}

const HINTS: Readonly<Record<string, string>> = {
  '42501': 'migrate as a superuser: twinrule migrate --database postgres://postgres@HOST/DATABASE',
  '23505': 'the rows that are there break a rule of the tables: correct them and migrate again',
  '23514': 'the rows that are there break a rule of the tables: correct them and migrate again',
  '23503': 'the rows that are there break a rule of the tables: correct them and migrate again',
  '57P01': 'the connection was ended and everything rolled back: run the same again',
  '55P03': 'another session holds a lock on the tables: migrate again when it has ended',
  '2BP01': 'something that twinrule did not make depends on it: remove that first',
  '0A000': 'something that twinrule did not make depends on it: remove that first'
}

const ADOPTED =
  'its definition is in twinrule.adopted_policies: correct it there, or delete the row to go down without the policy'

/** A failed migration with its name, the server's words and what to do. Everything was rolled back. */
export function migrationFailure(during: string, cause: unknown): TwinruleError {
  if (cause instanceof TwinruleError) return cause
  const fault = asFault(cause)
  const place = fault.where?.split('\n')[0]
  const message = [
    `${during} failed: ${fault.message}`,
    ...(fault.detail === undefined ? [] : [fault.detail]),
    ...(place === undefined || fault.code?.startsWith('42') !== true ? [] : [`(${place})`])
  ].join(' ')
  return new DatabaseError('TWR_DB_MIGRATION', message, {
    sqlstate: fault.code,
    hint: during.startsWith('the adopted policy') ? ADOPTED : (fault.hint ?? HINTS[fault.code ?? '']),
    cause
  })
}

function asFault(cause: unknown): ServerFault {
  return cause instanceof Error ? cause : { message: String(cause) }
}
