import type pg from 'pg'

/**
 * Everything in a database that decides who may see what, one line each: policies, row-level security, grants, columns,
 * triggers, functions and indexes. Written without the code that migrates, to compare two ways to the same state.
 *
 * @param tables the tables of schema public to look at; all of them unless given
 */
export async function securitySnapshot(
  client: pg.ClientBase,
  tables: readonly string[] | null = null
): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(SNAPSHOT, [tables])
  return rows.map(({ line }) => line)
}

const SNAPSHOT = `
WITH c AS (
  SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND ($1::text[] IS NULL OR relname = ANY ($1))
)
SELECT concat_ws(' ', 'policy', tablename, policyname, permissive, roles, cmd, qual, '/', with_check) AS line
  FROM pg_policies WHERE $1::text[] IS NULL OR tablename = ANY ($1)
UNION ALL SELECT concat_ws(' ', 'table', relname, relrowsecurity, relforcerowsecurity, relowner::regrole) FROM c
UNION ALL SELECT concat_ws(' ', 'grant', relname, g.grantee::regrole, g.privilege_type, g.is_grantable)
  FROM c, aclexplode(COALESCE(relacl, acldefault('r', relowner))) AS g
UNION ALL SELECT concat_ws(' ', 'grant', relname, a.attname, g.grantee::regrole, g.privilege_type, g.is_grantable)
  FROM c JOIN pg_attribute AS a ON a.attrelid = c.oid, aclexplode(a.attacl) AS g
UNION ALL SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull)
  FROM c JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT concat_ws(' ', 'trigger', relname, tgenabled, pg_get_triggerdef(t.oid))
  FROM c JOIN pg_trigger AS t ON t.tgrelid = c.oid WHERE NOT tgisinternal
UNION ALL SELECT concat_ws(' ', 'index', indisvalid, pg_get_indexdef(indexrelid)) FROM c JOIN pg_index ON indrelid = c.oid
UNION ALL SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.proowner::regrole, pg_get_functiondef(p.oid))
  FROM pg_proc AS p WHERE pronamespace = to_regnamespace('twinrule')
UNION ALL SELECT concat_ws(' ', 'caller', p.oid::regprocedure, g.grantee::regrole)
  FROM pg_proc AS p, aclexplode(p.proacl) AS g WHERE pronamespace = to_regnamespace('twinrule')
UNION ALL SELECT concat_ws(' ', 'schema', nspname, g.grantee::regrole, g.privilege_type)
  FROM pg_namespace, aclexplode(nspacl) AS g WHERE nspname IN ('public', 'twinrule')
ORDER BY line`
