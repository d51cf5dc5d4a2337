import { createHash } from 'node:crypto'
import { flaggedRole } from '../../ir/principal.js'

/** The schema of everything generated. */
export const SCHEMA = 'twinrule'

/** The PostgreSQL roles that twinrule manages, beside the role-flag roles that a policy declares. */
export const ROLES = {
  /** Applications log in as this one; it is under RLS. */
  app: 'twinrule_app',
  /** The decision service logs in as this one; it may only ask for the facts of a decision. */
  service: 'twinrule_service',
  /** Reads lists of rows, by policies of the same rules in another form; the app role may enter it. Cannot log in. */
  lister: 'twinrule_lister',
  /** Owns the accessors of the tenant context. Cannot log in. */
  context: 'twinrule_context',
  /** Owns the functions that read the facts of a decision. Cannot log in. */
  facts: 'twinrule_facts',
  /** Owns the functions that delete rows and keep them. Cannot log in. */
  remover: 'twinrule_remover',
  /** Owns the functions that share rows and give them to another tenant. Cannot log in. */
  sharer: 'twinrule_sharer'
} as const

/** The roles that own functions, in which nobody else may be. */
export const OWNER_ROLES: readonly string[] = [ROLES.context, ROLES.facts, ROLES.remover, ROLES.sharer]

/** A function of the twinrule schema, without its parameters. */
export type FunctionName = `twinrule.${string}`

/** The settings that hold the context of a transaction. The last two hold a seal each, in signed contexts. */
export const SETTINGS = {
  user: 'twinrule.user_id',
  tenant: 'twinrule.tenant_id',
  seal: 'twinrule.context_seal',
  entered: 'twinrule.entered_seal'
} as const

const own = (attribute: string): string => (attribute === 'id' ? 'user_id' : attribute)

/**
 * The function by which policies read an attribute of the principal: `twinrule.context_tenant_id`. It raises where
 * there is no valid context, so a statement in the middle of which the context ends fails as a whole.
 */
export function accessorOf(attribute: string): FunctionName {
  return `${SCHEMA}.context_${own(attribute)}`
}

/** The function that says whether a role flag's role was entered with leave: `twinrule.entered_platform_admin`. */
export function entranceOf(flag: string): FunctionName {
  return `${SCHEMA}.entered_${flaggedRole(flag) ?? flag}`
}

/** The attributes of which there is a claim, and the function that gives it: what a setting says, not verified. */
export const CLAIMS: Readonly<Record<string, { readonly setting: string; readonly claim: FunctionName }>> = {
  id: { setting: SETTINGS.user, claim: `${SCHEMA}.claimed_user_id` },
  tenant_id: { setting: SETTINGS.tenant, claim: `${SCHEMA}.claimed_tenant_id` }
}

/** The helper functions that have a name of their own, for people who know them from hand-made systems. */
const NAMED_HELPERS: Readonly<Record<string, string>> = {
  id: 'get_current_user_id',
  tenant_id: 'get_current_tenant_id'
}

/** The function by which people and helper functions ask for an attribute: null, or false, without a valid context. */
export function helperOf(attribute: string): FunctionName {
  if (flaggedRole(attribute) !== null) return `${SCHEMA}.${attribute}`
  return `${SCHEMA}.${NAMED_HELPERS[attribute] ?? `principal_${attribute}`}`
}

/** The function that says who a transaction belongs to, null without a valid context. Policies ask it first. */
export const VERIFIED_USER = helperOf('id')

/** The most bytes of a name (manual, 4.1.1). PostgreSQL cuts longer ones off without an error. */
const LONGEST = 63

/** The name of what is made for a table: whole where it fits, else cut and told from others by a digest. */
export function boundedName(prefix: string, stem: string, suffix: string): string {
  const whole = `${prefix}${stem}${suffix}`
  return Buffer.byteLength(whole) <= LONGEST ? whole : digestName(prefix, [stem], suffix)
}

/** A name of at most 63 bytes that two lists of parts never share. */
export function digestName(prefix: string, parts: readonly string[], suffix: string): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12)
  const room = LONGEST - `${prefix}_${digest}${suffix}`.length
  const readable = parts
    .join('_')
    .replaceAll(/[^a-z0-9_]/g, '')
    .slice(0, Math.min(36, room))
  return `${prefix}${readable}_${digest}${suffix}`
}
