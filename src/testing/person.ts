import type { Values } from '../ir/evaluate.js'
import type { Bundle } from '../ir/model.js'
import { flaggedRole } from '../ir/principal.js'
import { canonical, type Value } from '../ir/values.js'
import type { Principal, Tenant } from './fixtures.js'
import { attributesOf } from './people.js'

/** A principal of a model as somebody who can exist: a member of an active tenant. */
export interface Person {
  readonly principal: Omit<Principal, 'attributes' | 'path' | 'tenant'> & {
    readonly tenant: Omit<Tenant, 'path'>
  }
  /** The attributes that the tenancy tables give, canonical. */
  readonly values: Values
}

const TENANT_TYPES = ['client', 'solution', 'industry', 'platform']
const TENANT_ROLES = ['owner', 'admin', 'member', 'guest']
/** For whatever no rule looks at. */
const SOMEBODY = '00000000-0000-4000-8000-0000000fffff'
const SOMEWHERE = '00000000-0000-4000-8000-0000000ffffe'

/** Somebody with the attributes of a model, or null where nobody can have them. */
export function personOf(bundle: Bundle, model: Readonly<Record<string, Value>>): Person | null {
  const { id = SOMEBODY, tenant_id: tenant = SOMEWHERE, tenant_type: type = 'client' } = model
  const { tenant_status: status = 'active', tenant_role: role = 'member', roles = [] } = model
  const known = [id, tenant, type, status, role, roles]
  if (known.includes(null) || status !== 'active') return null
  if (!TENANT_TYPES.includes(String(type)) || !TENANT_ROLES.includes(String(role))) return null
  const flags = Object.entries(model).flatMap(([name, value]) =>
    value === true ? (flaggedRole(name) ?? []) : []
  )
  const held = (Array.isArray(roles) ? roles : []).flatMap(item => (item === null ? [] : String(item)))
  const principal = {
    name: 'somebody',
    id: String(id),
    tenant: { name: 'somewhere', id: String(tenant), type: String(type), status: 'active' },
    role: String(role),
    roles: held.filter(one => !flags.includes(one)),
    globalRoles: flags
  }
  const attributes = attributesOf(bundle, {
    ...principal,
    path: [],
    tenant: { ...principal.tenant, path: [] }
  })
  const values: Record<string, Value> = {}
  for (const { name, type: of } of bundle.principal) {
    const value = canonical(of, attributes?.[name])
    if (!value.ok) return null
    values[name] = value.value
  }
  return { principal, values }
}
