import { flaggedRole } from '../../ir/principal.js'

/** The schema of everything generated. */
export const SCHEMA = 'twinrule'

/** The PostgreSQL roles that twinrule manages, beside the role-flag roles that a policy declares. */
export const ROLES = {
  /** Applications log in as this one; it is under RLS. */
  app: 'twinrule_app',
  /** The decision service logs in as this one; it may only ask for the facts of a decision. */
  service: 'twinrule_service',
  /** Owns the accessors of the tenant context. Cannot log in. */
  context: 'twinrule_context',
  /** Owns the functions that read the facts of a decision. Cannot log in. */
  facts: 'twinrule_facts'
} as const

/** The accessor functions that have a name of their own, for people who know them from hand-made systems. */
const NAMED_ACCESSORS: Readonly<Record<string, string>> = {
  id: 'get_current_user_id',
  tenant_id: 'get_current_tenant_id'
}

/** The schema-qualified SQL function that returns a principal attribute of the current transaction. */
export function accessorOf(attribute: string): `${string}.${string}` {
  if (flaggedRole(attribute) !== null) return `${SCHEMA}.${attribute}`
  return `${SCHEMA}.${NAMED_ACCESSORS[attribute] ?? `principal_${attribute}`}`
}
