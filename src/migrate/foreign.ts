import type { ClientBase } from 'pg'
import { DatabaseError } from '../errors/errors.js'

/** A policy on a managed table that twinrule did not make. */
export interface ForeignPolicy {
  readonly table: string
  readonly name: string
  readonly permissive: boolean
  readonly command: 'ALL' | 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'
  /** Quoted as in SQL, `PUBLIC` for everyone. */
  readonly roles: string
  readonly using: string | null
  readonly check: string | null
  readonly comment: string | null
}

/**
 * The policies on some tables that twinrule did not make. Whoever made them, PostgreSQL joins the permissive ones with
 * OR, so they let rows past every rule; and the restrictive ones hide rows that the rules allow.
 */
export async function foreignPolicies(
  client: ClientBase,
  tables: readonly string[]
): Promise<readonly ForeignPolicy[]> {
  const { rows } = await client.query<ForeignPolicy>(
    `SELECT c.relname AS table, p.polname AS name, p.polpermissive AS permissive,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
       (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ' ORDER BY r)
        FROM unnest(p.polroles) AS r) AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check,
       obj_description(p.oid, 'pg_policy') AS comment
     FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND left(p.polname, 9) <> 'twinrule_'
     ORDER BY 1, 2`,
    [tables]
  )
  return rows
}

/** One line about a foreign policy: its table, name, command, roles and expressions. */
export function describeForeign(policy: ForeignPolicy): string {
  const { table, name, permissive, command, roles, using, check } = policy
  const clauses = [
    ...(using === null ? [] : [`USING (${using})`]),
    ...(check === null ? [] : [`WITH CHECK (${check})`])
  ]
  const kind = permissive ? '' : 'restrictive, '
  return `${table}: ${name} (${kind}${command} to ${roles}) ${clauses.join(' ')}`
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/**
 * Refuses to go on beside foreign policies.
 *
 * @throws DatabaseError TWR_DB_MIGRATION that lists them all
 */
export function refuseForeign(policies: readonly ForeignPolicy[]): void {
  if (policies.length === 0) return
  const lines = policies.map(policy => `\n  ${describeForeign(policy)}`)
  throw new DatabaseError(
    'TWR_DB_MIGRATION',
    `tables of the policy have policies that twinrule did not make; permissive ones would let rows past the rules:${lines.join('')}`,
    {
      hint: 'move what they allow into the rules, then migrate with --adopt: it drops them, and `migrate down` brings them back'
    }
  )
}
