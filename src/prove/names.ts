import type { Relation } from '../ir/formula.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Type } from '../ir/types.js'

/** What the names in a resource's SQL stand for. */
export interface Names {
  readonly table: string
  /** What stands before a column of the row: `old` in a trigger. Null where it is nothing, or in a subquery the table. */
  readonly own: string | null
  readonly relations: readonly Relation[]
  /** The relation of the subquery that is read, where there is one. */
  readonly related: Relation | null
  readonly columns: ReadonlyMap<string, Type>
  /** Principal attributes by the schema-qualified function that returns them, verified. */
  readonly accessors: Attributes
  /** The role flag whose role a policy is for, and the function that says whether the role was entered with leave. */
  readonly entered: { readonly flag: string; readonly type: Type; readonly entrance: string } | null
  /** Principal attributes by the function that returns what a setting claims of them. */
  readonly claims: Attributes
  /** The function that says who there is, null when there is nobody. */
  readonly verified: string
}

type Attributes = ReadonlyMap<
  string,
  { readonly name: string; readonly type: Type; readonly via?: 'claim' | 'entrance' }
>

/** The functions through which SQL sees the principal. */
export interface PrincipalFunctions {
  readonly accessorOf: (attribute: string) => string
  readonly entranceOf: (flag: string) => string
  readonly claims: Readonly<Record<string, { readonly claim: string }>>
  readonly verified: string
}

/** The names of a resource and its principal, in policies of the app role. */
export function namesOf(resource: Resource, bundle: Bundle, functions: PrincipalFunctions): Names {
  const { accessorOf, claims, verified } = functions
  const accessors = new Map(bundle.principal.map(({ name, type }) => [accessorOf(name), { name, type }]))
  const claimed = bundle.principal.flatMap(({ name, type }) => {
    const { claim } = claims[name] ?? {}
    return claim === undefined ? [] : [[claim, { name, type, via: 'claim' }] as const]
  })
  return {
    table: resource.table ?? '',
    own: null,
    relations: resource.relations,
    related: null,
    columns: new Map(resource.columns.map(({ name, type }) => [name, type])),
    accessors,
    entered: null,
    claims: new Map(claimed),
    verified
  }
}

/**
 * The names in policies of a role flag's role: there the flag is whether the role was entered with leave.
 * safety: read by its ordinary accessor it would count for whoever says SET ROLE, unrecorded
 */
export function namesInRole(
  names: Names,
  flag: string,
  { accessorOf, entranceOf }: PrincipalFunctions
): Names {
  const type = names.accessors.get(accessorOf(flag))?.type
  return type === undefined ? names : { ...names, entered: { flag, type, entrance: entranceOf(flag) } }
}

/** What stands before a column of the row itself. */
export function ownName({ own, related, table }: Names): string | null {
  return own ?? (related === null ? null : table)
}
