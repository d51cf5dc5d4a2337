import type { Type } from './types.js'

/** What the tenancy tables can say about a principal, and the types it may be declared with. */
export interface PrincipalSource {
  readonly describes: string
  readonly accepts: (type: Type) => boolean
  readonly expected: string
}

const labelled = (...needed: string[]): Pick<PrincipalSource, 'accepts' | 'expected'> => ({
  accepts: type =>
    type.kind === 'text' || (type.kind === 'enum' && needed.every(label => type.labels.includes(label))),
  expected: `text, or an enum with at least ${needed.join(', ')}`
})

const uuid: Pick<PrincipalSource, 'accepts' | 'expected'> = {
  accepts: type => type.kind === 'uuid',
  expected: 'uuid'
}

/**
 * The principal attributes that both locks read fresh from the database. Enums must list every value that an active
 * member can have, so that a value outside of the enum cannot mean one thing in SQL and another in the app.
 */
export const PRINCIPAL_SOURCES: Readonly<Record<string, PrincipalSource>> = {
  id: { describes: 'the id of the user', ...uuid },
  tenant_id: { describes: 'the tenant in which the user acts', ...uuid },
  tenant_type: {
    describes: 'the type of that tenant',
    ...labelled('client', 'solution', 'industry', 'platform')
  },
  tenant_status: { describes: 'the status of that tenant', ...labelled('active') },
  tenant_role: {
    describes: 'the role of the membership in that tenant',
    ...labelled('owner', 'admin', 'member', 'guest')
  },
  roles: {
    describes: 'the roles granted everywhere or in that tenant',
    accepts: type => type.kind === 'set' && type.of.kind === 'text',
    expected: 'set<text>'
  }
}

/**
 * The role in user_roles that a role flag stands for: `is_platform_admin` for `platform_admin`.
 *
 * @returns null when the name has no such form
 */
export function flaggedRole(attribute: string): string | null {
  return attribute.startsWith('is_') && attribute.length > 3 ? attribute.slice(3) : null
}
