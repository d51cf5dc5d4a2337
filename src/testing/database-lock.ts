import type { ClientBase } from 'pg'
import { id, join, sql } from '../backends/sql/fragment.js'
import { ROLES } from '../backends/sql/names.js'
import type { ContextKey } from '../db/context-token.js'
import { ACTIONS, type Bundle, deletesByStatement } from '../ir/model.js'
import type { TestCase } from './case.js'
import { enterContext, keyForTests } from './context.js'
import type { TestFile } from './file.js'
import type { JsonRow } from './fixtures.js'
import { demandedColumns, insertSql, loadFixtures, withoutTriggers } from './load-rows.js'
import type { Lock, Verdict } from './lock.js'

/**
 * PostgreSQL under row-level security: each question is the statement that it is about, run as the login of applications
 * in the context of the principal.
 *
 * @param client a superuser's. Everything happens in a transaction that is rolled back.
 */
export function databaseLock(client: ClientBase, bundle: Bundle): Lock {
  return {
    name: 'rls',
    async ask({ cases, fixtures }: TestFile) {
      const verdicts: Verdict[] = []
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
      try {
        await client.query('SET LOCAL search_path = pg_catalog, public, pg_temp')
        await loadFixtures(client, bundle, fixtures)
        const key = await keyForTests(client, bundle)
        for (const one of cases) verdicts.push(await askCase({ client, bundle, key }, one))
      } finally {
        await client.query('ROLLBACK')
      }
      return verdicts
    }
  }
}

interface Session {
  readonly client: ClientBase
  readonly bundle: Bundle
  readonly key: ContextKey | null
}

async function askCase(session: Session, one: TestCase): Promise<Verdict> {
  if (one.what.resource.table === null) return notAsked(`${one.what.resource.name} has no table`)
  if (!ACTIONS.some(action => action === one.action))
    return notAsked('the database does not know added actions')
  // an administrator may do what he may as a member, and what he may in the role of the flag
  let verdict = await attempt(session, one, null)
  for (const role of rolesOf(session.bundle, one)) {
    if (verdict.decision === true) break
    verdict = await attempt(session, one, role)
  }
  return verdict
}

function notAsked(detail: string): Verdict {
  return { decision: null, detail }
}

/** The roles that the principal may enter. */
function rolesOf({ principal }: Bundle, { who }: TestCase): readonly string[] {
  return principal.flatMap(({ name, role }) => {
    return role !== undefined && who.attributes?.[name] === true ? [role] : []
  })
}

async function attempt({ client, key }: Session, one: TestCase, role: string | null): Promise<Verdict> {
  const { who, what, action } = one
  const table = what.resource.table ?? ''
  const target = sql`public.${id(table)}`
  await client.query('SAVEPOINT ask')
  try {
    if (action === 'create') {
      // the row stands there as one of the test, and shall come anew
      await withoutTriggers(client, async () => {
        await client.query(`DELETE FROM ${target} WHERE "id"::text = $1`, [what.id])
      })
    }
    await grantThrough(client, one, role ?? ROLES.app)
    const granted = await grantedColumns(client, table, role ?? ROLES.app)
    const demanded = await demandedColumns(client, table, Object.keys(what.columns))
    await enterContext(client, key, { user: who.id, tenant: who.tenant.id, role })
    const count = await run(client, one, granted, demanded)
    const as = role === null ? '' : ` as ${role}`
    return count === 1
      ? { decision: true, detail: `the statement reaches the row${as}` }
      : { decision: false, detail: 'the statement does not reach the row' }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === '42501') return { decision: false, detail: message }
    // safety: a constraint that stopped the statement is no decision of the policies
    return { ...notAsked(`the statement failed for another reason: ${message}`), fault: true }
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT ask')
    await client.query('RELEASE SAVEPOINT ask')
  }
}

/**
 * Grants what only a function does, UPDATE of some columns or DELETE: it does it under the same rules, which answer here
 * whatever the change is.
 */
async function grantThrough(
  client: ClientBase,
  { action, what: { resource } }: TestCase,
  role: string
): Promise<void> {
  const columns = resource.columnRules.flatMap(rule => (rule.through === null ? [] : rule.columns))
  const rights = [
    ...(action === 'update' && columns.length > 0 ? [sql`UPDATE (${join(columns.map(id), ', ')})`] : []),
    ...(action === 'delete' && !deletesByStatement(resource) ? [sql`DELETE`] : [])
  ]
  if (rights.length === 0) return
  await client.query(
    String(sql`GRANT ${join(rights, ', ')} ON public.${id(resource.table ?? '')} TO ${id(role)}`)
  )
}

interface Granted {
  readonly insert: readonly string[]
  readonly update: readonly string[]
}

/** The columns that a role may write: some are left out on purpose, such as ids that the database makes. */
async function grantedColumns(client: ClientBase, table: string, role: string): Promise<Granted> {
  const { rows } = await client.query<Granted>(
    `SELECT COALESCE(array_agg(a.attname::text) FILTER (WHERE has_column_privilege($2, a.attrelid, a.attnum, 'INSERT')), '{}') AS insert,
       COALESCE(array_agg(a.attname::text) FILTER (WHERE has_column_privilege($2, a.attrelid, a.attnum, 'UPDATE')), '{}') AS update
     FROM pg_attribute AS a
     WHERE a.attrelid = format('public.%I', $1::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped`,
    [table, role]
  )
  return rows[0] ?? { insert: [], update: [] }
}

/** Runs the statement of a question and counts the rows that it reached. */
async function run(
  client: ClientBase,
  one: TestCase,
  granted: Granted,
  demanded: JsonRow
): Promise<number | null> {
  const { what, action } = one
  const table = what.resource.table ?? ''
  const target = sql`public.${id(table)}`
  switch (action) {
    case 'read':
      return (await client.query(`SELECT "id" FROM ${target} WHERE "id"::text = $1`, [what.id])).rowCount
    case 'delete':
      return (await client.query(`DELETE FROM ${target} WHERE "id"::text = $1`, [what.id])).rowCount
    case 'create': {
      const row = { ...demanded, ...what.columns }
      const columns = Object.keys(row).filter(name => name !== 'id' || granted.insert.includes(name))
      return (await client.query(insertSql(table, columns), [JSON.stringify([row])])).rowCount
    }
    default:
      return update(client, one, granted)
  }
}

async function update(
  client: ClientBase,
  { what, changes }: TestCase,
  granted: Granted
): Promise<number | null> {
  const { resource, columns } = what
  const target = sql`public.${id(resource.table ?? '')}`
  const next = { ...columns, ...changes }
  const changed = resource.columns
    .map(({ name }) => name)
    .filter(name => JSON.stringify(next[name]) !== JSON.stringify(columns[name]))
  // an update that changes nothing names some column that it may
  const set = changed.length > 0 ? changed : granted.update.slice(0, 1)
  if (set.length === 0) return 0
  const values = join(
    set.map(name => sql`${id(name)} = given.${id(name)}`),
    ', '
  )
  const given = sql`jsonb_populate_record(NULL::${target}, $2::jsonb) AS given`
  const same = changed.length > 0 ? values : sql`${id(set[0] ?? '')} = ${target}.${id(set[0] ?? '')}`
  const statement = sql`UPDATE ${target} SET ${same} FROM ${given} WHERE ${target}."id"::text = $1`
  return (await client.query(String(statement), [what.id, JSON.stringify(next)])).rowCount
}
