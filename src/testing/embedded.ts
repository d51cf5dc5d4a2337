import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientBase } from 'pg'
import { type Fragment, id, join, sql } from '../backends/sql/fragment.js'
import { columnType } from '../backends/sql/terms.js'
import { openEmbedded } from '../db/embedded.js'
import type { Bundle } from '../ir/model.js'
import type { Column } from '../ir/types.js'
import { migrate } from '../migrate/migrate.js'

/** Where the tables of an embedded database come from. */
export interface EmbeddedTables {
  /** A folder of numbered migrations; without it the tables are made from what the policy declares. */
  readonly migrations: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

const TENANCY = '0001_tenancy.sql'

/** Runs some work as the superuser of a database in memory that has the policies, and closes it. */
export async function withEmbedded<T>(
  bundle: Bundle,
  { migrations, env }: EmbeddedTables,
  work: (client: ClientBase) => Promise<T>
): Promise<T> {
  const results: T[] = []
  const { close } = await openEmbedded({
    dataDir: null,
    env,
    prepare: async client => {
      if (migrations === undefined) await migrateDeclared(client, bundle)
      else await migrate({ database: client, bundle, migrationsDir: migrations })
      results.push(await work(client))
    }
  })
  await close()
  return results[0] as T
}

/** The tenancy tables, and every other one with the columns that the policy declares. */
async function migrateDeclared(client: ClientBase, bundle: Bundle): Promise<void> {
  const dir = await mkdtemp(joinPath(tmpdir(), 'twinrule-test-'))
  try {
    await cp(fileURLToPath(new URL(`../../migrations/${TENANCY}`, import.meta.url)), joinPath(dir, TENANCY))
    await client.query(String(declaredTables(bundle)))
    await migrate({ database: client, bundle, migrationsDir: dir })
    // which roles there are is the application's to say
    await client.query('ALTER TABLE public.user_roles DROP CONSTRAINT IF EXISTS user_roles_role_check')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function declaredTables({ resources }: Bundle): Fragment {
  const own = resources.flatMap(({ table, columns }) => (table === null ? [] : [{ table, columns }]))
  const plain = resources
    .flatMap(({ relations }) => relations)
    .flatMap(({ table, readable, columns }) =>
      table === null || readable !== null ? [] : [{ table, columns }]
    )
  const tables = new Map<string, Map<string, Column>>()
  for (const { table, columns } of [...own, ...plain]) {
    const known = tables.get(table) ?? new Map<string, Column>()
    for (const column of columns) known.set(column.name, column)
    tables.set(table, known)
  }
  return join(
    [...tables].map(([table, columns]) => tableSql(table, [...columns.values()])),
    '\n'
  )
}

function tableSql(table: string, columns: readonly Column[]): Fragment {
  const lines = columns.map(({ name, type, nullable }) => {
    const constraint = name === 'id' ? sql` PRIMARY KEY` : nullable ? sql`` : sql` NOT NULL`
    return sql`${id(name)} ${columnType(type)}${constraint}`
  })
  return sql`CREATE TABLE public.${id(table)} (${join(lines, ', ')});`
}
