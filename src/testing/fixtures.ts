import type { JsonValue } from '../ir/json.js'
import type { Resource } from '../ir/model.js'
import type { Path } from '../policy/source.js'

/** Values by name, as JSON carries them. */
export type JsonRow = Readonly<Record<string, JsonValue>>

/** A tenant of a test file. */
export interface Tenant {
  readonly name: string
  readonly id: string
  readonly type: string
  readonly status: string
  readonly path: Path
}

/** A user as a member of a tenant, and what the tenancy tables make of it. */
export interface Principal {
  readonly name: string
  readonly id: string
  readonly tenant: Tenant
  readonly role: string
  readonly roles: readonly string[]
  readonly globalRoles: readonly string[]
  /** The attributes that the policy declares; null when there is no principal, because the tenant is not active. */
  readonly attributes: JsonRow | null
  readonly path: Path
}

/** A row of a test file with every declared column, and its related rows. */
export interface Row {
  readonly name: string
  readonly resource: Resource
  readonly id: string
  readonly columns: JsonRow
  readonly path: Path
}

/** A row of a plain table. */
export interface PlainRow {
  readonly table: string
  readonly columns: JsonRow
}

/** Everything that a test file sets up. */
export interface Fixtures {
  readonly tenants: readonly Tenant[]
  readonly principals: readonly Principal[]
  readonly rows: readonly Row[]
  readonly plain: readonly PlainRow[]
  /** The related rows of one row by relation, as the database would find them. */
  related(resource: Resource, columns: JsonRow, row: string): Readonly<Record<string, readonly JsonRow[]>>
}
