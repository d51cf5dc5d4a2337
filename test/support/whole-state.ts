import type pg from 'pg'
import { readCatalog } from '../../src/db/catalog/read.js'
import { catalogScope } from '../../src/db/catalog/scope.js'
import type { Bundle } from '../../src/ir/model.js'
import { securitySnapshot } from './snapshot.js'

/** What is different each time, though nothing else is: when it happened, and the database's own secrets. */
const PASSING = ['run_on', 'migrated_at', 'adopted_at', 'created_at', 'updated_at', 'key_in', 'key_out']
/** A number that was drawn stays drawn when the transaction is rolled back. */
const DRAWN = 'twinrule.migrations'

/** Everything that a migration can change in a database, one line each, as twinrule sees the catalog and without it. */
export async function wholeState(admin: pg.Client, bundle: Bundle): Promise<readonly string[]> {
  await admin.query('BEGIN')
  const { items } = await readCatalog(admin, catalogScope(bundle))
  await admin.query('ROLLBACK')
  return [...items.map(item => JSON.stringify(item)), ...(await ownState(admin))]
}

/** The same without what twinrule's own code sees of the catalog, which takes longest: security, and every row. */
export async function ownState(admin: pg.Client): Promise<readonly string[]> {
  const { rows: tables } = await admin.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE nspname IN ('public', 'twinrule') AND relkind = 'r' ORDER BY 1`
  )
  const each = tables.map(
    ({ name }) =>
      `SELECT '${name} ' || (to_jsonb(r) - '{${[...PASSING, ...(name === DRAWN ? ['id'] : [])].join()}}'::text[])::text AS line FROM ${name} AS r`
  )
  const { rows } =
    each.length === 0
      ? { rows: [] }
      : await admin.query<{ line: string }>(`${each.join(' UNION ALL ')} ORDER BY 1`)
  return [...(await securitySnapshot(admin)), ...rows.map(({ line }) => line)]
}
