import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { accessObjects, accessSql } from '../backends/sql/access.js'
import { readFound, restoreSteps } from './adopt.js'
import { baseNames, readBooks, refuseMissing } from './books.js'
import { PACKAGE } from './extras.js'
import { lockTables, type Waiting } from './locks.js'
import type { MigrateOptions } from './options.js'
import { lockedTables, undoSteps } from './plan.js'
import { planObjects } from './plan-object.js'
import { dropRecord, existingTables, openRecord, readObjects, tablesOf } from './record.js'
import { ACCESS, type AccessStep, runMigrations, statements } from './runner.js'

/** Undoes migrations, inside of the caller's transaction, and says which. */
export async function goDown(
  client: ClientBase,
  options: MigrateOptions,
  run: Waiting
): Promise<readonly string[]> {
  const dir = options.migrationsDir ?? join(PACKAGE, 'migrations')
  const { applied, downSql } = await readBooks(client)
  refuseMissing(dir, await baseNames(dir), applied)
  const access = () => undoing(client, options, downSql, run)
  const done = await runMigrations({ client, dir, direction: 'down', count: options.count ?? 1, access, run })
  return done.map(name => (name === ACCESS ? 'removed the access rules' : `undid ${name}`))
}

/** The way down of what is there, which may be another revision than the policies. */
async function undoing(
  client: ClientBase,
  options: MigrateOptions,
  downSql: string | null,
  run: Waiting
): Promise<readonly AccessStep[]> {
  const recorded = await readObjects(client)
  const steps = undoSteps(recorded ?? planObjects(accessObjects(options.bundle)))
  await openRecord(client)
  const found = await readFound(client)
  const before = [...tablesOf(found.tables), ...tablesOf(found.policies)]
  const locked = [...new Set([...lockedTables(steps), ...before])].sort()
  const there = await existingTables(client, [...locked, ...tablesOf(steps)])
  await lockTables(
    client,
    locked.filter(table => there.includes(table)),
    options.locks ?? {},
    run
  )
  await dropRecord(client)
  if (recorded === null)
    return [{ label: 'the access rules', sql: downSql ?? accessSql(options.bundle).down }]
  const isThere = ({ table }: { readonly table: string | null }) => table === null || there.includes(table)
  return [
    ...statements(steps.filter(isThere)),
    ...restoreSteps({ tables: found.tables.filter(isThere), policies: found.policies.filter(isThere) })
  ]
}
