import type pg from 'pg'
import { createEngine } from '../../src/engine/engine.js'
import type { DecisionRequest } from '../../src/engine/request.js'
import type { Bundle } from '../../src/ir/model.js'
import { addTenants, idOf } from '../../test/support/many-tenants.js'
import { workload } from '../decide/workload.js'
import { seeded } from '../random.js'

/** What one HTTP request asks, and what must come out. */
export interface Asked {
  readonly requests: readonly DecisionRequest[]
  readonly expected: readonly boolean[]
}

/** Questions of one batch. */
export const BATCH = 50
const SEED = 42

/**
 * Questions about the shipped policy that bring all facts, some hundred different ones, each alone and in batches of one
 * subject.
 */
export async function passedQuestions(
  bundle: Bundle,
  count: number
): Promise<{ single: Asked[]; batch: Asked[] }> {
  const { decide } = createEngine(bundle)
  const types = bundle.resources.map(({ name }) => name)
  const { asks } = await workload(types.length, count, seeded(SEED))
  const said = bundle.principal.filter(({ name, source }) => name !== 'id' && source === 'context')
  const requests = asks.map(({ type, action, principal, row }): DecisionRequest => {
    const resource = bundle.resources[Number(type.slice('kind_'.length))]
    if (resource === undefined) throw new Error(`no ${type}`)
    const columns = resource.columns.map(({ name }) => [name, row[name] ?? null] as const)
    return {
      subject: {
        type: 'user',
        id: String(principal['id']),
        properties: Object.fromEntries(said.map(({ name }) => [name, principal[name]]))
      },
      action: { name: action },
      resource: { type: resource.name, id: String(row['id']), properties: Object.fromEntries(columns) }
    }
  })
  const asked = (some: readonly DecisionRequest[]): Asked => {
    return { requests: some, expected: some.map(one => decide(one).decision) }
  }
  const batch = requests
    .filter((_, i) => i % 10 === 0)
    .map(({ subject }, i) => {
      const some = Array.from({ length: BATCH }, (_, j) => requests[(i * 10 + j) % requests.length])
      return asked(some.flatMap(one => (one === undefined ? [] : [{ ...one, subject }])))
    })
  return { single: requests.map(one => asked([one])), batch }
}

/** Gives the database `count` more tenants, and asks for each of their users about an agent of the own and of the next one. */
export async function storedQuestions(owner: pg.Client, count: number): Promise<readonly Asked[]> {
  await addTenants(owner, count)
  const { rows } = await owner.query<{ tenant: string; agent: string }>(
    'SELECT DISTINCT ON (tenant_id) tenant_id AS tenant, id AS agent FROM agents ORDER BY tenant_id, id'
  )
  const agentOf = new Map(rows.map(({ tenant, agent }) => [tenant, agent]))
  const numbers = Array.from({ length: count }, (_, i) => i + 1)
  return numbers.flatMap(n => [asks(n, n), asks(n, (n % count) + 1)])

  function asks(user: number, tenant: number): Asked {
    const id = agentOf.get(idOf('tenant', tenant))
    if (id === undefined) throw new Error(`tenant ${tenant} has no agent`)
    const subject = { type: 'user', id: idOf('user', user) }
    const request = { subject, action: { name: 'read' }, resource: { type: 'agent', id } }
    return { requests: [request], expected: [user === tenant] }
  }
}

/** A question, or many with the subject as their default, as AuthZEN has them. */
export function authzenBody({ requests }: Asked): unknown {
  const [first] = requests
  if (requests.length === 1) return first
  return {
    subject: first?.subject,
    evaluations: requests.map(({ action, resource }) => ({ action, resource }))
  }
}

/** The same for Cerbos. */
export function cerbosBody({ requests }: Asked): unknown {
  const { id, properties: attr } = requests[0]?.subject ?? {}
  return {
    principal: { id, roles: ['user'], attr },
    resources: requests.map(({ action, resource }) => ({
      actions: [action.name],
      resource: { kind: resource.type, id: resource.id, attr: resource.properties }
    }))
  }
}
