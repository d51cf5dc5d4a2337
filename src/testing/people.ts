import type { JsonValue } from '../ir/json.js'
import type { Bundle } from '../ir/model.js'
import { flaggedRole } from '../ir/principal.js'
import type { Path } from '../policy/source.js'
import type { JsonRow, Principal, Tenant } from './fixtures.js'
import { uuidFor } from './names.js'
import { type Reader, readValue } from './reader.js'

const UUID = { kind: 'uuid' } as const

/** The id that an entry states, or one that is made from its name. */
export function idIn(reader: Reader, kind: string, name: string, value: unknown, path: Path): string {
  const given = (value as { id?: unknown } | null)?.id
  if (given === undefined) return uuidFor(kind, name)
  return (readValue(reader, UUID, given, [...path, 'id']) ?? uuidFor(kind, name)) as string
}

/** A tenant as the file states it. */
export function readTenant(reader: Reader, name: string, value: unknown, path: Path): Tenant {
  const { type = 'client', status = 'active' } = (value ?? {}) as { type?: string; status?: string }
  return { name, id: idIn(reader, 'tenant', name, value, path), type, status, path }
}

interface WrittenPrincipal {
  readonly tenant?: unknown
  readonly role?: string
  readonly roles?: readonly string[]
  readonly global_roles?: readonly string[]
}

/** A principal as the file states it. Its tenant is one of the file or one of its own. */
export function readPrincipal(
  reader: Reader,
  tenants: ReadonlyMap<string, Tenant>,
  name: string,
  value: unknown,
  path: Path
): Principal | null {
  const written = (value ?? {}) as WrittenPrincipal
  const { tenant: of, role = 'member', roles = [], global_roles: globalRoles = [] } = written
  const known = typeof of === 'string' ? tenants.get(of) : undefined
  if (typeof of === 'string' && known === undefined) {
    reader.names.unknown(of, 'tenant', [...path, 'tenant'])
    return null
  }
  // whoever has no tenant of the file has one for himself
  const tenant = known ?? readTenant(reader, `${name} tenant`, of, [...path, 'tenant'])
  const id = idIn(reader, 'principal', name, value, path)
  const principal = { name, id, tenant, role, roles, globalRoles, path }
  return { ...principal, attributes: attributesOf(reader.bundle, principal) }
}

/**
 * What the tenancy tables say of a user, as `twinrule.membership` and the facts of the service do: nothing where the
 * tenant is not active.
 */
export function attributesOf(bundle: Bundle, of: Omit<Principal, 'attributes'>): JsonRow | null {
  if (of.tenant.status !== 'active') return null
  const values: Readonly<Record<string, JsonValue>> = {
    id: of.id,
    tenant_id: of.tenant.id,
    tenant_type: of.tenant.type,
    tenant_status: of.tenant.status,
    tenant_role: of.role,
    roles: [...new Set([...of.roles, ...of.globalRoles])].sort()
  }
  return Object.fromEntries(
    bundle.principal.map(({ name }) => {
      const flag = flaggedRole(name)
      return [name, values[name] ?? (flag !== null && of.globalRoles.includes(flag))]
    })
  )
}
