import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { dollar, id, lit, sql } from '../backends/sql/fragment.js'
import { ConfigError } from '../errors/errors.js'

/** PostgreSQL's default number of rounds (manual, scram_iterations). */
const ROUNDS = 4096
const VERIFIER = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/

/**
 * What PostgreSQL stores for a password (RFC 5803), made here so that the password itself is in no statement and in
 * no server log.
 *
 * @param password printable ASCII: other characters have several spellings that only some clients bring to one
 * @throws ConfigError for an empty password or one with other characters
 */
export function scramVerifier(password: string, salt = randomBytes(16), rounds = ROUNDS): string {
  if (!/^[\x20-\x7e]+$/.test(password)) {
    throw new ConfigError('TWR_CONFIG', 'a database password must be printable ASCII and not empty')
  }
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256')
  const key = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(key('Client Key')).digest('base64')
  const server = key('Server Key').toString('base64')
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${server}`
}

/** Whether a stored verifier was made from this password, so that setting it again would change nothing. */
export function isVerifierOf(stored: string | null, password: string): boolean {
  const [, rounds, salt] = VERIFIER.exec(stored ?? '') ?? []
  if (stored === null || rounds === undefined || salt === undefined) return false
  const expected = Buffer.from(scramVerifier(password, Buffer.from(salt, 'base64'), Number(rounds)))
  const actual = Buffer.from(stored)
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** The statement that gives a role a password. Roles belong to the cluster, hence the lock. */
export function setPasswordSql(role: string, verifier: string): string {
  return String(
    sql`DO ${dollar(sql`BEGIN
  LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;
  ALTER ROLE ${id(role)} PASSWORD ${lit(verifier)};
END`)};`
  )
}
