import type { Values } from '../../src/ir/evaluate.js'
import type { Contender } from './contender.js'
import type { Action } from './workload.js'

type Rule = (principal: Values, row: Values) => boolean

/** The four rules as a programmer would write them. */
const RULES: Readonly<Record<Action, Rule>> = {
  read: (principal, row) => {
    if (principal['id'] == null) return false
    if (principal['is_platform_admin'] === true) return true
    const tenant = principal['tenant_id']
    if (tenant == null) return row['is_shared'] === true && row['sharing_mode'] === 'global'
    if (row['tenant_id'] === tenant) return true
    if (row['is_shared'] !== true) return false
    if (row['sharing_mode'] === 'global') return true
    const receivers = row['shared_with'] as readonly unknown[]
    return row['sharing_mode'] === 'selective' && receivers.includes(tenant)
  },
  create: (principal, row) => {
    if (principal['id'] == null) return false
    if (principal['is_platform_admin'] === true) return true
    if (principal['tenant_id'] == null || row['tenant_id'] !== principal['tenant_id']) return false
    return row['sharing_mode'] !== 'global' && row['resource_type'] !== 'platform'
  },
  delete: (principal, row) => {
    if (principal['id'] == null) return false
    if (principal['is_platform_admin'] === true) return true
    return principal['tenant_id'] != null && row['tenant_id'] === principal['tenant_id']
  }
}

/** The baseline: JavaScript by hand, found by resource type and action. */
export const handWritten: Contender = {
  name: 'hand-written JavaScript',
  about: 'the four rules as code of an application',
  oneIn: 1,
  maxKinds: 1_000,
  prepare: ({ bundle }) => {
    const kinds = new Map(bundle.resources.map(({ name }) => [name, RULES]))
    return ({ action, type, principal, row }) => kinds.get(type)?.[action](principal, row) ?? false
  }
}
