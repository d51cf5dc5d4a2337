import type { ClientBase } from 'pg'

/** Where copies are made, in a transaction that is rolled back. */
export const COPIES = 'twinrule_advise'

/** A copy of a table with its indexes, policies and some or all of its rows. */
export interface Copy {
  readonly rows: number
  readonly whole: boolean
}

/**
 * Copies a table into the schema of copies, so that indexes can be tried out. Of the table itself it takes what a SELECT
 * takes and nothing else.
 *
 * @param table a name without its schema, of `public`
 */
export async function copyTable(
  client: ClientBase,
  { table, limit, role }: { readonly table: string; readonly limit: number; readonly role: string }
): Promise<Copy> {
  const { rows: names } = await client.query<{ source: string; target: string; columns: string }>(
    `SELECT format('public.%I', $1::text) AS source, format('%I.%I', $2::text, $1::text) AS target,
       string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns
     FROM pg_attribute
     WHERE attrelid = format('public.%I', $1::text)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table, COPIES]
  )
  const { source = '', target = '', columns = '' } = names[0] ?? {}
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${COPIES}`)
  await client.query(`GRANT USAGE ON SCHEMA ${COPIES} TO ${role}`)
  await client.query(`CREATE TABLE ${target} (LIKE ${source} INCLUDING ALL)`)
  await client.query(`ALTER TABLE ${target} ENABLE ROW LEVEL SECURITY`)
  await client.query(`ALTER TABLE ${target} FORCE ROW LEVEL SECURITY`)
  const filled = await client.query(
    `INSERT INTO ${target} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${source} LIMIT ${limit}`
  )
  const { rows: policies } = await client.query<{ text: string }>(
    `SELECT format('CREATE POLICY %I ON %s FOR SELECT TO %s USING (%s)', polname, $2::text,
       coalesce((SELECT string_agg(quote_ident(rolname), ', ') FROM pg_roles WHERE oid = ANY (polroles)), 'PUBLIC'),
       pg_get_expr(polqual, polrelid)) AS text
     FROM pg_policy WHERE polrelid = $1::regclass AND polcmd = 'r'`,
    [source, target]
  )
  for (const { text } of policies) await client.query(text)
  await client.query(`GRANT SELECT ON ${target} TO ${role}`)
  await client.query(`ANALYZE ${target}`)
  const rows = filled.rowCount ?? 0
  return { rows, whole: rows < limit }
}
