import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientBase } from 'pg'
import { ROLES } from '../backends/sql/names.js'
import { isVerifierOf, scramVerifier, setPasswordSql } from './passwords.js'

/** The folder of the installed package. */
export const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/** Passwords for the two login roles. Without one a role keeps what it has. */
export interface Passwords {
  readonly app?: string | undefined
  readonly service?: string | undefined
}

/** Sets the passwords that are not yet what they should be, and says which. */
export async function setPasswords(
  client: ClientBase,
  passwords: Passwords,
  run: { during: string }
): Promise<readonly string[]> {
  const steps: string[] = []
  for (const [which, password] of Object.entries(passwords)) {
    if (password === undefined) continue
    const role = which === 'app' ? ROLES.app : ROLES.service
    run.during = `the password of ${role}`
    const { rows } = await client.query<{ rolpassword: string | null }>(
      'SELECT rolpassword FROM pg_authid WHERE rolname = $1',
      [role]
    )
    if (isVerifierOf(rows[0]?.rolpassword ?? null, password)) continue
    await client.query(setPasswordSql(role, scramVerifier(password)))
    steps.push(`set the password of ${role}`)
  }
  return steps
}

/** Loads the demo data, which changes nothing the second time. */
export async function loadDemo(client: ClientBase, run: { during: string }): Promise<readonly string[]> {
  run.during = 'the demo data'
  const { rows } = await client.query<{ loaded: boolean }>(
    `SELECT EXISTS (SELECT FROM public.tenants WHERE id = '00000000-0000-0000-0000-00000000000a') AS loaded`
  )
  await client.query(await readFile(join(PACKAGE, 'examples', 'demo.sql'), 'utf8'))
  return rows[0]?.loaded === true ? [] : ['loaded the demo data']
}
