import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { accessObjects } from '../backends/sql/access.js'
import { indexesOf, type WantedIndex } from '../backends/sql/indexes.js'
import type { Bundle } from '../ir/model.js'
import { createPolicy, dropPolicy, foundTables, restoreSteps } from './adopt.js'
import { baseNames, type Run, readBooks, refuseMissing } from './books.js'
import { withDatabase } from './connect.js'
import { PACKAGE } from './extras.js'
import { migrationFailure } from './failure.js'
import { type ForeignPolicy, foreignPolicies } from './foreign.js'
import { missingIndexes } from './indexes.js'
import type { MigrateOptions } from './options.js'
import { type PlanStep, planSteps, undoSteps } from './plan.js'
import { planObjects } from './plan-object.js'
import { readObjects } from './record.js'
import { ACCESS, type AccessStep, SEARCH_PATH, splitMigration } from './runner.js'
import { accessSteps, isDue, protectedTables } from './up.js'

/** A numbered migration that has not been run. */
export interface PendingMigration {
  readonly name: string
  readonly up: string
  readonly down: string
}

/** What a migration would do: the way there, and the way back. */
export interface Plan {
  /** The revision that is there, null when none is. */
  readonly from: string | null
  readonly to: string
  readonly migrations: readonly PendingMigration[]
  /** Policies that are adopted, before anything else. */
  readonly adopt: readonly AccessStep[]
  readonly up: readonly PlanStep[]
  readonly down: readonly PlanStep[]
  /** What comes back at the end of the way down. */
  readonly restore: readonly AccessStep[]
  /** Indexes that are made after the way up. */
  readonly indexes: readonly WantedIndex[]
  /** Whether there is anything to do, be it only to write down another revision. */
  readonly due: boolean
}

/** A database as `twinrule migrate` finds it. */
export interface Inspection extends Plan {
  readonly server: string
  readonly migratedAt: Date | null
  readonly applied: readonly Run[]
  /** Policies on the tables of the policy that twinrule did not make. */
  readonly foreign: readonly ForeignPolicy[]
}

/** The way from one policy to another, and back. */
export function planBetween(from: Bundle, to: Bundle): Plan {
  const before = planObjects(accessObjects(from))
  const after = planObjects(accessObjects(to))
  const had = indexesOf(from).map(({ name }) => name)
  return {
    from: from.revision,
    to: to.revision,
    migrations: [],
    adopt: [],
    up: planSteps({ before, after }),
    down: planSteps({ before: after, after: before }),
    restore: [],
    indexes: indexesOf(to).filter(({ name }) => !had.includes(name)),
    due: from.revision !== to.revision
  }
}

/**
 * The way from a database as it is to a policy, and back. Nothing is changed and no table is locked.
 *
 * @throws DatabaseError TWR_DB_UNREACHABLE, or TWR_DB_MIGRATION when the database cannot be read
 */
export async function inspect(options: Pick<MigrateOptions, 'database'> & Wanted): Promise<Inspection> {
  return withDatabase(options.database, async client => {
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      await client.query(SEARCH_PATH)
      return await look(client, options)
    } catch (cause) {
      throw migrationFailure('the look at the database', cause)
    } finally {
      await client.query('ROLLBACK').catch(() => {})
    }
  })
}

type Wanted = Pick<MigrateOptions, 'bundle' | 'migrationsDir' | 'whole' | 'adopt'>

async function look(client: ClientBase, options: Wanted): Promise<Inspection> {
  const { bundle, migrationsDir: dir = join(PACKAGE, 'migrations') } = options
  const { rows } = await client.query<{ server: string }>(
    "SELECT current_setting('server_version') AS server"
  )
  const books = await readBooks(client)
  const names = await baseNames(dir)
  refuseMissing(dir, names, books.applied)
  const after = planObjects(accessObjects(bundle))
  const before = await readObjects(client)
  const migrations = await pendingOf(
    dir,
    names.filter(name => !books.applied.includes(name))
  )
  const steps = await accessSteps(client, after, options)
  const indexes = await missingIndexes(client, bundle)
  const foreign = await foreignPolicies(client, protectedTables(bundle))
  const due =
    migrations.length > 0 || !books.applied.includes(ACCESS) || (await isDue(client, books, options))
  return {
    server: rows[0]?.server ?? '',
    from: books.revision,
    to: bundle.revision,
    migratedAt: books.migratedAt,
    applied: books.runs.filter(({ name }) => name !== ACCESS),
    migrations,
    adopt: options.adopt === true ? foreign.map(adoption) : [],
    up: steps,
    down: before === null ? undoSteps(after) : planSteps({ before: after, after: before }),
    restore: before === null ? await comingBack(client, options, foreign) : [],
    indexes,
    due: due || indexes.length > 0 || foreign.length > 0,
    foreign
  }
}

const adoption = (policy: ForeignPolicy): AccessStep => ({
  label: `the policy ${policy.name} on ${policy.table}`,
  sql: dropPolicy(policy)
})

/** What a table has before twinrule comes, it has when twinrule has gone. */
async function comingBack(
  client: ClientBase,
  { bundle, adopt }: Wanted,
  foreign: readonly ForeignPolicy[]
): Promise<readonly AccessStep[]> {
  const tables = await foundTables(client, protectedTables(bundle))
  const policies = foreign.map(policy => ({ ...policy, definition: createPolicy(policy) }))
  return restoreSteps({
    tables: tables.filter(({ enabled, forced, grants }) => enabled || forced || grants.length > 0),
    policies: adopt === true ? policies : []
  })
}

async function pendingOf(dir: string, names: readonly string[]): Promise<readonly PendingMigration[]> {
  return Promise.all(
    names.map(async name => ({ name, ...splitMigration(await readFile(join(dir, `${name}.sql`), 'utf8')) }))
  )
}
