import { CODES } from '../errors/codes.js'
import { DatabaseError, RequestError, TwinruleError } from '../errors/errors.js'
import { InvalidBody } from './invalid-body.js'
import type { ErrorReply } from './schemas.js'

/** An error as the caller sees it. */
export interface Refusal {
  readonly statusCode: number
  readonly body: ErrorReply
}

/** Fastify's own refusals that need words of ours; every other 4xx of Fastify is a malformed request. */
const FASTIFY: Readonly<Record<string, ConstructorParameters<typeof RequestError>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['TWR_REQUEST_TOO_LARGE', 413, 'the body is larger than 1 MiB'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'TWR_REQUEST_INVALID',
    400,
    'the content type is missing or not application/json',
    'send the header Content-Type: application/json'
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'TWR_REQUEST_INVALID',
    400,
    'Content-Length is not the length of the body'
  ],
  FST_ERR_BAD_URL: ['TWR_REQUEST_INVALID', 400, 'the URL is not valid']
}

/**
 * The status and body for anything that was thrown on the way to an answer.
 *
 * What is not the caller's mistake is 503: it is no decision, so it is neither a permit nor a deny, and asking again
 * may help. Its body holds only the title of the code, never a message, a statement or a stack.
 */
export function refusal(error: unknown): Refusal {
  const mistake = asMistake(error)
  if (mistake !== null) return { statusCode: mistake.statusCode, body: bodyOf(mistake) }
  const code = error instanceof TwinruleError ? error.code : 'TWR_BUG'
  return { statusCode: 503, body: { error: { code, message: `no decision was made: ${CODES[code].title}` } } }
}

function asMistake(error: unknown): RequestError | null {
  if (error instanceof RequestError) return error
  if (!(error instanceof Error) || error instanceof TwinruleError) return null
  const code = 'code' in error ? String(error.code) : ''
  const known = FASTIFY[code]
  if (known !== undefined) return new RequestError(...known)
  const status = 'statusCode' in error ? Number(error.statusCode) : 500
  return status >= 400 && status < 500
    ? new RequestError('TWR_REQUEST_INVALID', 400, 'the request is not well formed')
    : null
}

function bodyOf(error: RequestError): ErrorReply {
  const { code, message, hint } = error
  const path = error instanceof InvalidBody ? { path: error.path } : {}
  return { error: { code, message, ...(hint === undefined ? {} : { hint }), ...path } }
}

/**
 * A fault for the log: enough to find it, and no value of a row, a principal or a key. Messages of other people's
 * errors are left out, because PostgreSQL quotes values in them.
 */
export function describeFault(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const quotesPostgres =
    error instanceof DatabaseError && error.code === 'TWR_DB_FAULT' && error.cause !== undefined
  const ours =
    error instanceof TwinruleError && !quotesPostgres ? { message: error.message, hint: error.hint } : {}
  const sqlstate = error instanceof DatabaseError ? { sqlstate: error.sqlstate } : {}
  const frames = (error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line))
  return {
    name: error.name,
    code: 'code' in error ? error.code : undefined,
    ...ours,
    ...sqlstate,
    at: frames.slice(0, 8).map(line => line.trim()),
    ...(error.cause === undefined ? {} : { cause: describeFault(error.cause) })
  }
}
