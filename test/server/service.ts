import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Facts, FactsQuery, FactsReader, PrincipalFacts } from '../../src/db/facts.js'
import { createEngine, type Engine } from '../../src/engine/engine.js'
import { loadFolder } from '../../src/policy/load.js'
import { type AppOptions, buildApp } from '../../src/server/app.js'
import { readConfig } from '../../src/server/config.js'

/** The key of the tests. */
export const KEY = 'test-key'
const TENANT = '00000000-0000-0000-0000-0000000000'
const USER = '00000000-0000-0000-0001-0000000000'
const AGENT = '00000000-0000-0000-0002-0000000000'

/** Tenants, users and agents of the demo data. */
export const tenants = {
  platform: `${TENANT}01`,
  acme: `${TENANT}0a`,
  globex: `${TENANT}0b`,
  initech: `${TENANT}0c`
}
export const users = { root: `${USER}01`, ada: `${USER}0a`, gus: `${USER}0b`, ivy: `${USER}0c` }
export const agent = (n: number): string => `${AGENT}0${n}`

const MEMBERSHIPS: Record<string, { tenant: string; type: string; admin: boolean }> = {
  [users.root]: { tenant: tenants.platform, type: 'platform', admin: true },
  [users.ada]: { tenant: tenants.acme, type: 'client', admin: false },
  [users.gus]: { tenant: tenants.globex, type: 'client', admin: false },
  [users.ivy]: { tenant: tenants.initech, type: 'solution', admin: false }
}

const row = (n: number, tenant: string, mode: string, sharedWith: string[] = []) => ({
  id: agent(n),
  tenant_id: tenant,
  created_by_user_id: null,
  name: `agent ${n}`,
  description: null,
  is_shared: mode !== 'private',
  sharing_mode: mode,
  shared_with: sharedWith,
  resource_type: 'custom'
})

/** The rows of the demo table by id. */
const rows: Record<string, ReturnType<typeof row>> = Object.fromEntries(
  [
    row(1, tenants.acme, 'private'),
    row(2, tenants.acme, 'selective', [tenants.globex]),
    row(3, tenants.platform, 'global'),
    row(4, tenants.globex, 'private')
  ].map(one => [one.id, one])
)

/** The stored row of agent `n`. */
export function stored(n: number): ReturnType<typeof row> {
  const found = rows[agent(n)]
  if (found === undefined) throw new Error(`there is no agent ${n}`)
  return found
}

/** A reader over the demo data in memory that notes what it was asked; `overrides` break it. */
export interface FakeFacts extends FactsReader {
  read(query: FactsQuery, revision?: string): Promise<Facts>
  readonly queries: FactsQuery[]
  readonly revisions: unknown[]
  closed: number
}

export function fakeFacts(overrides: Partial<FakeFacts> = {}): FakeFacts {
  const facts: FakeFacts = {
    queries: [],
    revisions: [],
    closed: 0,
    async read(query, revision) {
      facts.queries.push(query)
      facts.revisions.push(revision)
      return {
        principals: query.subjects.map(principal),
        rows: query.resources.map(({ type, id }) => (type === 'agent' ? (rows[id] ?? null) : null))
      }
    },
    async ready() {},
    async close() {
      facts.closed++
    },
    ...overrides
  }
  return facts
}

function principal({ id, tenantId }: FactsQuery['subjects'][number]): PrincipalFacts {
  const found = MEMBERSHIPS[id]
  if (found === undefined) return { status: 'unknown_subject' }
  if (tenantId !== null && tenantId !== found.tenant) return { status: 'not_a_member' }
  return {
    status: 'member',
    principal: { id, tenant_id: found.tenant, tenant_type: found.type, is_platform_admin: found.admin }
  }
}

const loaded = await loadFolder('policies')
if (loaded.bundle === null) throw new Error(loaded.problems.join('\n'))
/** The engine over the example policies. */
export const engine: Engine = createEngine(loaded.bundle)

/** The default settings with the test key. */
export const settings = (environment: Record<string, string> = {}): AppOptions['config'] =>
  readConfig({ TWINRULE_API_KEYS: KEY, ...environment })

/** An app over the fake facts that is closed with the test. */
export function service(t: Test, options: Partial<AppOptions> = {}): FastifyInstance {
  const app = buildApp({ engine, facts: fakeFacts(), config: settings(), logger: false, ...options })
  t.teardown(() => app.close())
  return app
}

/** A question about an agent of the demo data. */
export const question = (user: string, action: string, n: number) => ({
  subject: { type: 'user', id: user },
  action: { name: action },
  resource: { type: 'agent', id: agent(n) }
})

/** The headers of a caller with the key. */
export const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

/** Posts a body, JSON unless it is text already. */
export const post = async (app: FastifyInstance, body: unknown, path = '/authorize') => {
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  const reply = await app.inject({ method: 'POST', url: path, headers, payload })
  return { status: reply.statusCode, headers: reply.headers, body: reply.json() }
}
