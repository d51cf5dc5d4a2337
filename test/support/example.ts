import type pg from 'pg'
import { contextKey, contextToken } from '../../src/db/context-token.js'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder } from '../../src/policy/load.js'
import { type Cluster, createDatabase, type Database, type Postgres, TEST_PASSWORD } from './cluster.js'

/** The example policies of the repository, compiled. */
export async function exampleBundle(): Promise<Bundle> {
  const { bundle, problems } = await loadFolder('policies')
  if (bundle === null) throw new Error(`the example policies do not compile: ${problems.join('\n')}`)
  return bundle
}

/** Ids of the demo data by the names people use for them. */
export const DEMO = {
  platform: '00000000-0000-0000-0000-000000000001',
  acme: '00000000-0000-0000-0000-00000000000a',
  globex: '00000000-0000-0000-0000-00000000000b',
  initech: '00000000-0000-0000-0000-00000000000c',
  root: '00000000-0000-0000-0001-000000000001',
  ada: '00000000-0000-0000-0001-00000000000a',
  gus: '00000000-0000-0000-0001-00000000000b',
  ivy: '00000000-0000-0000-0001-00000000000c',
  agent: (n: 1 | 2 | 3 | 4) => `00000000-0000-0000-0002-00000000000${n}`
} as const

/** The tenant in which each demo user acts. */
export const HOME = { root: DEMO.platform, ada: DEMO.acme, gus: DEMO.globex, ivy: DEMO.initech } as const
/** A demo user. */
export type User = keyof typeof HOME

/** Which agents of the demo data each of them may read and update. */
export const DECISION_TABLE: Readonly<Record<User, { read: readonly number[]; update: readonly number[] }>> =
  {
    ada: { read: [1, 2, 3], update: [1, 2] },
    gus: { read: [2, 3, 4], update: [4] },
    ivy: { read: [3], update: [] },
    root: { read: [1, 2, 3, 4], update: [1, 2, 3, 4] }
  }

/** The key that the databases of tests know. */
export const TEST_KEY = contextKey(`test-1:${Buffer.alloc(32, 7).toString('base64url')}`)

/** A token for a user in a tenant, made with that key. */
export function tokenFor(userId: string, tenantId: string): string {
  return contextToken(TEST_KEY, { userId, tenantId })
}

/** Opens the context of a user in a tenant in the transaction of `client`, and says whether it is valid. */
export async function openContext(client: pg.ClientBase, userId: string, tenantId: string): Promise<boolean> {
  const { rows } = await client.query<{ valid: boolean }>('SELECT twinrule.set_tenant_context($1) AS valid', [
    tokenFor(userId, tenantId)
  ])
  return rows[0]?.valid === true
}

/** A fresh database with the example policies and the demo data, dropped when the test ends. */
export async function demoDatabase(
  t: { teardown(after: () => Promise<void>): void },
  bundle: Bundle,
  on?: Postgres | Cluster
): Promise<Database> {
  const database = await createDatabase(t, on)
  const passwords = { app: TEST_PASSWORD, service: TEST_PASSWORD }
  await migrate({ database: database.url(), bundle, demo: true, passwords, contextKey: TEST_KEY })
  return database
}

/** Runs `work` in a transaction of `user` that is rolled back; `root` enters the role of the platform admin. */
export async function acting<T>(client: pg.ClientBase, user: User, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN')
  try {
    await openContext(client, DEMO[user], HOME[user])
    if (user === 'root') await client.query("SELECT twinrule.enter_role('authz_platform_admin')")
    return await work()
  } finally {
    await client.query('ROLLBACK')
  }
}
