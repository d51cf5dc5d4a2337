import { join } from 'node:path'
import type { Values } from '../../src/ir/evaluate.js'
import { deepFreeze } from '../../src/ir/formula.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { loadFolder } from '../../src/policy/load.js'

/** The actions that are asked: those that look at one row. */
export const ACTIONS = ['read', 'create', 'delete'] as const
/** One of them. */
export type Action = (typeof ACTIONS)[number]

/** One question: who asks for what, of canonical values, so that no contender pays for reading them. */
export interface Ask {
  readonly action: Action
  readonly type: string
  readonly principal: Values
  readonly row: Values
}

/** What every contender is asked. */
export interface Workload {
  readonly bundle: Bundle
  readonly asks: readonly Ask[]
}

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')

/**
 * The example policy with a number of resource types, all with its four rules, and questions about them.
 *
 * @param kinds how many resource types there are
 * @param count how many questions; about half of them are allowed
 * @param random numbers from 0 to 1, for the same questions in each run
 */
export async function workload(kinds: number, count: number, random: () => number): Promise<Workload> {
  const { bundle, problems } = await loadFolder(POLICIES)
  const [resource] = bundle?.resources ?? []
  if (bundle === null || resource === undefined) throw new Error(`policies: ${JSON.stringify(problems)}`)
  const resources = Array.from({ length: kinds }, (_, i): Resource => {
    return { ...resource, name: `kind_${i}`, table: `kinds_${i}` }
  })
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const tenants = Array.from({ length: 168 }, () => uuid(random))
  const principals = tenants.flatMap(tenant => Array.from({ length: 3 }, () => principalOf(tenant, random)))
  const names = resources.map(({ name }) => name)
  const asks = Array.from({ length: count }, (): Ask => {
    const principal = pick(principals)
    const row = rowOf(random() < 0.35 ? (principal['tenant_id'] as string) : pick(tenants), tenants, random)
    return { action: random() < 0.7 ? 'read' : pick(ACTIONS), type: pick(names), principal, row }
  })
  return { bundle: deepFreeze({ ...bundle, resources, invariants: [] }), asks }
}

function uuid(random: () => number): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
}

function principalOf(tenant: string, random: () => number): Values {
  const isAdmin = random() < 0.02
  return { id: uuid(random), tenant_id: tenant, tenant_type: 'client', is_platform_admin: isAdmin }
}

function rowOf(tenant: string, tenants: readonly string[], random: () => number): Values {
  const mode = (['private', 'global', 'selective'] as const)[Math.floor(random() * 3)] ?? 'private'
  const receivers = tenants.filter(() => random() < 0.05)
  return {
    id: uuid(random),
    tenant_id: tenant,
    created_by_user_id: null,
    name: 'Support agent',
    description: 'Answers the questions of customers',
    is_shared: mode !== 'private' && random() < 0.8,
    sharing_mode: mode,
    shared_with: mode === 'selective' ? receivers : [],
    resource_type: 'custom'
  }
}
