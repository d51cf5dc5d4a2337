import { guardFunctions, guardObjects } from '../backends/sql/column-guards.js'
import { functionObject } from '../backends/sql/function.js'
import { listStatement } from '../backends/sql/list.js'
import { listedAs, listerObjects } from '../backends/sql/lister.js'
import { accessorOf, CLAIMS, entranceOf, VERIFIED_USER } from '../backends/sql/names.js'
import { type RoleView, roleViews, tableObjects } from '../backends/sql/policies.js'
import { appRoles, writerRoles } from '../backends/sql/roles.js'
import { type Bundle, deletesByStatement, type Resource } from '../ir/model.js'
import { type Names, namesInRole, namesOf, type PrincipalFunctions } from './names.js'
import { type Parser, readTable, type TableSecurity } from './read-back.js'
import { type ColumnGuard, type Parsers, readGuard } from './read-guard.js'
import { guardNames } from './read-guard-condition.js'
import { readList } from './read-list.js'
import type { PortableRules } from './sides.js'
import type { SqlExpression } from './sql-expression.js'

/** What stands in place of what this version's backends emit. */
export interface Emitted {
  /** The policies and grants of a resource's table. */
  readonly sql?: (resource: Resource, bundle: Bundle) => string
  /** What guards the columns of a resource's table. */
  readonly guards?: (resource: Resource, bundle: Bundle) => string
  /** The statement of a list in a role; null where the role may never read such a row. */
  readonly lists?: (resource: Resource, view: RoleView) => string | null
  readonly casl?: PortableRules
}

/** The security of each table by its own SQL, read once. */
export function securities(
  bundle: Bundle,
  parse: Parser,
  emitted?: Emitted
): (resource: Resource) => TableSecurity | null {
  const known = new Map<Resource, TableSecurity | null>()
  return resource => {
    const security = known.get(resource)
    if (security !== undefined) return security
    const read = readBack(bundle, resource, parse, emitted)
    known.set(resource, read)
    return read
  }
}

/** The security of a resource's table by its SQL; null where there is no table. @throws ReadBackError */
export function readBack(
  bundle: Bundle,
  resource: Resource,
  parse: Parser,
  emitted?: Emitted
): TableSecurity | null {
  if (resource.table === null) return null
  const text = (emitted?.sql ?? tableSql)(resource, bundle)
  const security = readTable(parse(text), resource.table, namesIn(resource, bundle))
  if (!deletesByStatement(resource)) security.byFunction.add('delete')
  return security
}

/** The guard of the columns of a resource's table by its SQL; null where there is no table. @throws ReadBackError */
export function readColumnGuard(
  bundle: Bundle,
  resource: Resource,
  parsers: Parsers,
  emitted?: Emitted
): ColumnGuard | null {
  if (resource.table === null) return null
  const names = guardNames(resource, bundle, { roles: guardRoles(bundle), functions: PRINCIPAL_FUNCTIONS })
  return readGuard((emitted?.guards ?? guardSql)(resource, bundle), resource.table, names, parsers)
}

/** A role, and the condition on which its list shows a row. */
export interface RoleList {
  readonly role: RoleView
  /** The role in which its statement runs. */
  readonly runsAs: string
  readonly expression: SqlExpression
}

/** The lists of a resource in each role by their statements; none where it has no table or no id. @throws ReadBackError */
export function readLists(
  bundle: Bundle,
  resource: Resource,
  parse: Parser,
  emitted?: Emitted
): readonly RoleList[] {
  if (!isListed(resource)) return []
  return roleViews(bundle).map(role => {
    const text = (emitted?.lists ?? listSql)(resource, role)
    const never: SqlExpression = { kind: 'const', value: false }
    const names = namesIn(resource, bundle)([role.role])
    const runsAs = listedAs(role).role
    return { role, runsAs, expression: text === null ? never : readList(text, names, parse) }
  })
}

function isListed({ table, columns }: Resource): boolean {
  return table !== null && columns.some(({ name, type }) => name === 'id' && type.kind !== 'set')
}

/** The statement of the shortest list in a role. Filters and positions are ANDed to each arm, and narrow it. */
export function listSql(resource: Resource, view: RoleView): string | null {
  const keys = resource.columns
    .filter(({ name }) => name === 'id')
    .map(column => ({ column, descending: false }))
  const text = listStatement({ resource, view, keys, tests: [], after: null, limit: 1, count: false })
  return text === null ? null : String(text)
}

/** The roles of which a trigger may ask: those of applications, and those that write for them. */
export function guardRoles(bundle: Bundle): readonly string[] {
  return [...appRoles(bundle), ...writerRoles(bundle)]
}

/** The functions through which the generated SQL sees the principal. */
export const PRINCIPAL_FUNCTIONS: PrincipalFunctions = {
  accessorOf,
  entranceOf,
  claims: CLAIMS,
  verified: VERIFIED_USER
}

/** What the names in a resource's policies stand for, by the roles that a policy is for. */
export function namesIn(resource: Resource, bundle: Bundle): (roles: readonly string[]) => Names {
  const names = namesOf(resource, bundle, PRINCIPAL_FUNCTIONS)
  return roles => {
    const flag = roleViews(bundle).find(({ role }) => roles.includes(role))?.flag ?? null
    return flag === null ? names : namesInRole(names, flag, PRINCIPAL_FUNCTIONS)
  }
}

/** The SQL text of a resource's table, as `twinrule compile --target sql` emits it. */
export function tableSql(resource: Resource, bundle: Bundle): string {
  return [...tableObjects(resource, bundle), ...listerObjects(resource)]
    .map(({ up }) => String(up))
    .join('\n')
}

/** The SQL text of what guards the columns of a resource's table. */
export function guardSql(resource: Resource, bundle: Bundle): string {
  return [...guardFunctions(resource, bundle).map(functionObject), ...guardObjects(resource)]
    .map(({ up }) => String(up))
    .join('\n')
}
