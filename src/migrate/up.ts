import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { accessHash, accessObjects } from '../backends/sql/access.js'
import { managedRoles } from '../backends/sql/roles.js'
import { TENANCY_POLICIES } from '../backends/sql/tenancy.js'
import { changedItems, recordCatalog } from '../db/catalog/record.js'
import type { ContextKey } from '../db/context-token.js'
import type { Bundle } from '../ir/model.js'
import { adoptPolicy, rememberTables } from './adopt.js'
import { type Books, baseNames, readBooks, refuseMissing } from './books.js'
import { loadDemo, PACKAGE, setPasswords } from './extras.js'
import { describeForeign, foreignPolicies, refuseForeign } from './foreign.js'
import { editedFiles } from './generated.js'
import { isOwnIndexItem } from './indexes.js'
import { addKey } from './keys.js'
import { lockTables, type Waiting } from './locks.js'
import type { MigrateOptions } from './options.js'
import { lockedTables, type PlanStep, planSteps } from './plan.js'
import { type PlanObject, planObjects } from './plan-object.js'
import { existingTables, openRecord, otherColumns, readObjects, tablesOf, writeObjects } from './record.js'
import { ACCESS, BOOKS, runMigrations, statements } from './runner.js'

/** Brings the database to the policies, inside of the caller's transaction, and says what it did. */
export async function goUp(
  client: ClientBase,
  options: MigrateOptions,
  run: Waiting
): Promise<readonly string[]> {
  const dir = options.migrationsDir ?? join(PACKAGE, 'migrations')
  const books = await readBooks(client)
  const names = await baseNames(dir)
  refuseMissing(dir, names, books.applied)
  for (const edited of await editedFiles(dir)) throw edited
  const adopted = await adopt(client, options, run)
  const after = planObjects(accessObjects(options.bundle))
  const pending = names.some(name => !books.applied.includes(name))
  // the generated part comes last: forget it, so that it runs after new base migrations and in its new text
  if (books.exists && (pending || (await isDue(client, books, options)))) {
    await client.query(`DELETE FROM ${BOOKS} WHERE name = $1`, [ACCESS])
  }
  let steps: readonly PlanStep[] = []
  const access = async () => {
    steps = await accessSteps(client, after, options)
    await openRecord(client)
    await lockTables(client, await existingTables(client, lockedTables(steps)), options.locks ?? {}, run)
    await remember(client, options)
    for (const { kind, cause, table } of steps) {
      if (kind === 'rls' && cause === 'removed') options.log?.(`warning: ${closed(table)}`)
    }
    return statements(steps)
  }
  const done = await runMigrations({ client, dir, direction: 'up', access, run })
  run.during = 'the record of the migration'
  if (done.includes(ACCESS)) {
    await writeObjects(client, after)
    await recordCatalog(client, options.bundle)
    await warnOfOpen(client, options)
  }
  const rules = `the access rules of revision ${options.bundle.revision} ${extentOf(steps)}`
  return [
    ...adopted,
    ...done.map(name => `applied ${name === ACCESS ? rules : name}`),
    ...(await setPasswords(client, options.passwords ?? {}, run)),
    ...(await takeKey(client, options.contextKey, run)),
    ...(options.demo === true ? await loadDemo(client, run) : [])
  ]
}

/** Views and tables that others have opened before: nobody would look for them, and rows of the policy may be in them. */
async function warnOfOpen(client: ClientBase, { log = () => {} }: MigrateOptions): Promise<void> {
  const { rows } = await client.query<{ relation: string; roles: readonly string[] }>(
    'SELECT relation, roles FROM twinrule.unprotected()'
  )
  for (const { relation, roles } of rows) {
    log(`warning: ${relation} is open to ${roles.join(', ')} outside of row-level security`)
  }
}

async function takeKey(
  client: ClientBase,
  key: ContextKey | undefined,
  run: Waiting
): Promise<readonly string[]> {
  if (key === undefined) return []
  run.during = 'the context key'
  return (await addKey(client, key)) ? [`added the context key ${key.kid}`] : []
}

/** How many objects had to be applied. */
function extentOf(steps: readonly PlanStep[]): string {
  const { length } = steps.filter(({ cause }) => cause !== 'always')
  return `(${length} ${length === 1 ? 'object' : 'objects'})`
}

const closed = (table: string | null) =>
  `the table ${table} is not in the policy any more: it keeps row-level security, so it is closed`

/** The tables on which nobody else's policies may be: those of the policy, and those behind the tenant context. */
export function protectedTables({ resources }: Bundle): readonly string[] {
  return [...TENANCY_POLICIES.map(({ table }) => table), ...resources.flatMap(({ table }) => table ?? [])]
}

/**
 * Makes room for the policies: those that others made are dropped if that is wanted, and else refused. Before anything
 * else, because a column that a policy reads cannot be converted.
 */
async function adopt(client: ClientBase, options: MigrateOptions, run: Waiting): Promise<readonly string[]> {
  const foreign = await foreignPolicies(client, protectedTables(options.bundle))
  if (options.adopt !== true) refuseForeign(foreign)
  if (foreign.length === 0) return []
  await openRecord(client)
  await lockTables(client, [...new Set(foreign.map(({ table }) => table))], options.locks ?? {}, run)
  await remember(client, options)
  for (const policy of foreign) {
    run.during = `the policy ${policy.name} on ${policy.table}`
    await adoptPolicy(client, policy)
  }
  return foreign.map(policy => `adopted ${describeForeign(policy)}`)
}

/** Before anything of the tables is changed: what they are without twinrule can be read then alone. */
async function remember(client: ClientBase, { bundle, log = () => {} }: MigrateOptions): Promise<void> {
  await rememberTables(client, protectedTables(bundle), managedRoles(bundle), log)
}

/** What is to be there afterwards. */
export type Wanted = Pick<MigrateOptions, 'bundle' | 'whole'>

/** Whether the generated part must run: anything that is not as the last migration left it is looked at then. */
export async function isDue(
  client: ClientBase,
  { revision, hash }: Books,
  { bundle, whole }: Wanted
): Promise<boolean> {
  // policies may differ in what only the app asks: the SQL is the same then, the revision is not
  if (whole === true || revision !== bundle.revision || hash !== accessHash(bundle)) return true
  if ((await readObjects(client)) === null || (await otherColumns(client)).length > 0) return true
  const changed = await changedItems(client, bundle)
  return changed === null || !changed.every(isOwnIndexItem)
}

/** What there is to do, from what the last migration wrote down and from what the database really holds. */
export async function accessSteps(
  client: ClientBase,
  after: readonly PlanObject[],
  { bundle, whole = false }: Wanted
): Promise<readonly PlanStep[]> {
  const before = await readObjects(client)
  if (before === null) return planSteps({ before, after })
  const items = await changedItems(client, bundle)
  const changes = items === null ? null : { items, columns: await otherColumns(client) }
  const steps = planSteps({ before, after, whole, changes })
  // what was removed along with its table is gone already
  const there = await existingTables(client, tablesOf(before))
  return steps.filter(({ cause, table }) => cause !== 'removed' || table === null || there.includes(table))
}
