import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type RunnerOption, runner } from 'node-pg-migrate'
import type { ClientBase } from 'pg'

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

/** One run of node-pg-migrate inside of the caller's transaction. */
export interface Run {
  readonly client: ClientBase
  readonly dir: string
  readonly direction: 'up' | 'down'
  readonly count?: number
  /** The generated part, which comes from the compiled policy and not from a file. */
  readonly access: { readonly up: string; readonly down: string }
  /** Told what is being run, so that a failure can name it. */
  readonly run: { during: string }
}

/** Runs the migrations that are due and returns their names in order. */
export async function runMigrations({ client, dir, direction, count, access, run }: Run): Promise<string[]> {
  const loader: MigrationLoader = async files => {
    const texts = await Promise.all(
      files.map(async file => ({ file, ...split(await readFile(file, 'utf8')) }))
    )
    return [...texts, { file: join(dir, `${ACCESS}.sql`), ...access }].map(({ file, up, down }) => {
      const name = basename(file, '.sql')
      const step = (text: string) => (builder: { sql(text: string): void }) => {
        run.during = `migration ${name === ACCESS ? 'access' : name}`
        builder.sql(name === ACCESS ? text : `${BASE_SEARCH_PATH}\n${text}\n;\n${SEARCH_PATH}`)
      }
      return { id: file, filePaths: [file], actions: { up: step(up), down: step(down) } }
    })
  }
  const done = await runner({
    dbClient: withinTransaction(client),
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

/** The two halves of a migration file in node-pg-migrate's format. */
function split(text: string): { up: string; down: string } {
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
function withinTransaction(client: ClientBase): ClientBase {
  const own = /^(?:BEGIN|COMMIT|ROLLBACK);?$/
  const query = (text: string | { text: string }, values?: unknown[]) =>
    typeof text === 'string' && own.test(text.trim())
      ? Promise.resolve({ rows: [] })
      : client.query(text, values).catch(withoutPosition)
  // the runner calls nothing but query on a client that it did not make
  return { query } as unknown as ClientBase
}
