import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type RunnerOption, runner } from 'node-pg-migrate'
import type { ClientBase } from 'pg'
import type { PlanStep } from './plan.js'

type Strategy = NonNullable<RunnerOption['migrationLoaderStrategies']>[number]
type MigrationLoader = Exclude<Strategy['loader'], string>

/** The name under which the generated part is written down; it runs after every numbered migration. */
export const ACCESS = '9999_access'
/** The committed text of the generated part, for review; what runs is compiled from the policy. */
export const ACCESS_FILE = 'access.sql'
/** The table of what was run. Not node-pg-migrate's default, which an application may use for itself. */
export const BOOKS = 'twinrule.migrations'
/** For everything that is ours: a name of the application never stands for one of PostgreSQL's. */
export const SEARCH_PATH = 'SET LOCAL search_path = pg_catalog, public, pg_temp;'
/** For numbered migrations: what they create without a schema is the application's. */
const BASE_SEARCH_PATH = 'SET LOCAL search_path = public, pg_temp;'
/** File names of numbered migrations. */
export const BASE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/

/** One statement or some of the generated part, and what to call it. */
export interface AccessStep {
  readonly label: string
  readonly sql: string
}

/** What is run of some steps of a plan. */
export function statements(steps: readonly PlanStep[]): readonly AccessStep[] {
  return steps.flatMap(({ kind, name, sql }) =>
    sql === '' ? [] : [{ label: kind === 'state' ? `the ${name}` : `${kind} ${name}`, sql }]
  )
}

/** One run of node-pg-migrate inside of the caller's transaction. */
export interface Run {
  readonly client: ClientBase
  readonly dir: string
  readonly direction: 'up' | 'down'
  readonly count?: number
  /** The generated part, which comes from the compiled policy and not from a file: asked when its turn has come. */
  readonly access: () => Promise<readonly AccessStep[]>
  /** Told what is being run, so that a failure can name it. */
  readonly run: { during: string }
}

/** Runs the migrations that are due and returns their names in order. */
export async function runMigrations({ client, dir, direction, count, access, run }: Run): Promise<string[]> {
  const labels = new Map<string, string>()
  const loader: MigrationLoader = async files => {
    const numbered = await Promise.all(
      files.map(async file => {
        const { up, down } = splitMigration(await readFile(file, 'utf8'))
        const step = (text: string) => (builder: Builder) => {
          run.during = `migration ${basename(file, '.sql')}`
          builder.sql(`${BASE_SEARCH_PATH}\n${text}\n;\n${SEARCH_PATH}`)
        }
        return { id: file, filePaths: [file], actions: { up: step(up), down: step(down) } }
      })
    )
    const generated = async (builder: Builder) => {
      run.during = 'the look at the database'
      for (const { label, sql } of await access()) {
        labels.set(sql.endsWith(';') ? sql : `${sql};`, label)
        builder.sql(sql)
      }
    }
    // the runner takes one function for both directions as one that it has to turn around
    const actions = { up: generated, down: (builder: Builder) => generated(builder) }
    const file = join(dir, `${ACCESS}.sql`)
    return [...numbered, { id: file, filePaths: [file], actions }]
  }
  const saying = (text: string) => {
    run.during = labels.get(text) ?? run.during
  }
  const done = await runner({
    dbClient: withinTransaction(client, saying),
    dir,
    // anything else in the folder, such as the committed text of the generated part, is not for this run
    ignorePattern: String.raw`(?!\d{4}_[a-z0-9_]+\.sql$).*`,
    migrationLoaderStrategies: [{ extensions: ['.sql'], loader }],
    direction,
    ...(count === undefined ? {} : { count }),
    migrationsTable: BOOKS.split('.')[1] ?? '',
    migrationsSchema: BOOKS.split('.')[0] ?? '',
    createMigrationsSchema: true,
    checkOrder: true,
    noLock: true,
    logger: { info() {}, warn() {}, error() {}, debug() {} }
  })
  return done.map(({ name }) => name)
}

interface Builder {
  sql(text: string): void
}

/** The two halves of a migration file in node-pg-migrate's format. */
export function splitMigration(text: string): { up: string; down: string } {
  const [, up, down] = /^-- Up Migration$([\s\S]*)^-- Down Migration$([\s\S]*)/m.exec(text) ?? []
  if (up === undefined || down === undefined) {
    throw new Error('a migration needs a line "-- Up Migration" and then a line "-- Down Migration"')
  }
  return { up, down }
}

/** With a position at the end of a line the runner fails to draw its marker, and that error would hide this one. */
function withoutPosition(error: unknown): never {
  if (error instanceof Error && 'position' in error) error.position = undefined
  throw error
}

/** The runner ends its transaction by itself; here it is a part of a larger one, which the caller ends. */
function withinTransaction(client: ClientBase, saying: (text: string) => void): ClientBase {
  const own = /^(?:BEGIN|COMMIT|ROLLBACK);?$/
  const query = (text: string | { text: string }, values?: unknown[]) => {
    if (typeof text === 'string') {
      if (own.test(text.trim())) return Promise.resolve({ rows: [] })
      saying(text)
    }
    return client.query(text, values).catch(withoutPosition)
  }
  // the runner calls nothing but query on a client that it did not make
  return { query } as unknown as ClientBase
}
