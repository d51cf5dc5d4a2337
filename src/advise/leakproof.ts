import type { ClientBase } from 'pg'
import { bare, type IndexCondition } from './plan.js'

/** A test of a statement that has an index and cannot use it under row-level security. */
export interface Blocked extends IndexCondition {
  /** Such as `@> (jsonb_contains)`; null where it could not be told. */
  readonly operator: string | null
}

/**
 * Tests that an index answers without policies and not with them. Policies come first, and only an operator that is
 * leakproof, so that it tells nothing of the rows it is shown, may be asked before them.
 */
export async function blockedTests(
  client: ClientBase,
  without: readonly IndexCondition[],
  under: readonly IndexCondition[]
): Promise<readonly Blocked[]> {
  const served = new Set(under.map(({ table, test }) => `${table} ${bare(test)}`))
  const lost = without.filter(({ table, test }) => !served.has(`${table} ${bare(test)}`))
  const found: Blocked[] = []
  for (const one of lost) {
    const operator = await operatorOf(client, one)
    if (operator !== undefined) found.push({ ...one, operator })
  }
  return found
}

/** The operator of a test on an index, if it is not leakproof; undefined if it is, and something else is the reason. */
async function operatorOf(
  client: ClientBase,
  { index, test }: IndexCondition
): Promise<string | null | undefined> {
  const [, name] = /[\w")\]]\s+([-+*/<>=~!@#%^&|`?]+)\s/.exec(test) ?? []
  if (name === undefined) return null
  const { rows } = await client.query<{ proname: string; proleakproof: boolean }>(
    `SELECT p.proname, p.proleakproof
     FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
     CROSS JOIN unnest(i.indclass) AS class(oid)
     JOIN pg_opclass o ON o.oid = class.oid JOIN pg_amop a ON a.amopfamily = o.opcfamily
     JOIN pg_operator op ON op.oid = a.amopopr JOIN pg_proc p ON p.oid = op.oprcode
     WHERE c.relname = $1 AND op.oprname = $2
     ORDER BY p.proleakproof LIMIT 1`,
    [index, name]
  )
  const [operator] = rows
  if (operator === undefined) return null
  return operator.proleakproof ? undefined : `${name} (${operator.proname})`
}
