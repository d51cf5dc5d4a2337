import { OWNER_ROLES, ROLES } from '../backends/sql/names.js'
import { plainRelations } from '../backends/sql/related.js'
import { enteredRoles, managedRoles } from '../backends/sql/roles.js'
import type { Catalog, CatalogItem, CatalogKind, Fact } from '../db/catalog/item.js'
import { catalogScope } from '../db/catalog/scope.js'
import type { Bundle } from '../ir/model.js'
import { PUBLIC } from '../prove/read-grant.js'
import type { Expected } from './expected.js'

/** An object as it has to be: by the compiled policy where that says it, else by the record of the last migration. */
export interface Wanted {
  readonly kind: CatalogKind
  readonly name: string
  readonly facts: Readonly<Record<string, Fact>>
  readonly trees: Readonly<Record<string, unknown>>
  /** Whether the compiled policy itself names the object. */
  readonly compiled: boolean
}

/** Objects by kind and name. */
export type Objects<T> = ReadonlyMap<string, T>

/** The key of an object. */
export function keyOf({ kind, name }: Pick<CatalogItem, 'kind' | 'name'>): string {
  return `${kind} ${name}`
}

/** What says how the catalog has to be. */
export interface Sources {
  readonly bundle: Bundle
  /** Null for a database of another revision, of which the record alone can tell. */
  readonly expected: Expected | null
  readonly record: Catalog | null
  readonly live: Catalog
}

/**
 * Everything that has to be in the catalog.
 *
 * safety: the record is data in the database like any other. Where the compiled policy says what an object is, and for
 * whatever may open rows, it is not asked.
 */
export function wantedOf(sources: Sources): Objects<Wanted> {
  const { bundle, expected, record } = sources
  const wanted = new Map<string, Wanted>()
  const declared = declaredColumns(bundle)
  for (const item of record?.items ?? []) {
    if (expected !== null && !mayBeRecorded(item, bundle)) continue
    const facts = item.kind === 'columns' ? only(item.facts, declared.get(item.name)) : item.facts
    wanted.set(keyOf(item), { ...item, facts, trees: {}, compiled: false })
  }
  if (expected === null) return wanted
  for (const item of compiledItems(bundle, expected)) {
    const recorded = wanted.get(keyOf(item))?.facts ?? {}
    const facts = Object.fromEntries(
      Object.entries({ ...recorded, ...item.facts }).filter(([name]) => !(name in item.trees))
    )
    wanted.set(keyOf(item), { ...item, facts, compiled: true })
  }
  for (const item of grantsWanted(sources, expected)) wanted.set(keyOf(item), item)
  return wanted
}

/** The columns that a policy reads, by table. Of others it does not matter what they are. */
function declaredColumns(bundle: Bundle): ReadonlyMap<string, readonly string[]> {
  const columns = new Map<string, readonly string[]>()
  for (const one of bundle.resources.flatMap(resource => [resource, ...resource.relations])) {
    const table = `public.${one.table}`
    columns.set(table, [...(columns.get(table) ?? []), ...one.columns.map(({ name }) => name)])
  }
  return columns
}

function only(facts: Wanted['facts'], names: readonly string[] | undefined): Wanted['facts'] {
  return names === undefined
    ? facts
    : Object.fromEntries(Object.entries(facts).filter(([name]) => names.includes(name)))
}

/** What the compiled policy says by itself, without any record. */
export function compiledItems(bundle: Bundle, expected: Expected): readonly Wanted[] {
  const made = expected.items.map(item => ({ ...item, compiled: true }))
  return [...made, ...rolesWanted(bundle)]
}

function rolesWanted(bundle: Bundle): readonly Wanted[] {
  const logins: readonly string[] = [ROLES.app, ROLES.service]
  const powers = { superuser: false, inherit: false, createrole: false, createdb: false, replication: false }
  const roles = managedRoles(bundle).map(name => ({
    kind: 'role' as const,
    name,
    facts: { ...powers, bypassrls: false, login: logins.includes(name) },
    trees: {},
    compiled: true
  }))
  const memberships = enteredRoles(bundle).map(role => ({
    kind: 'membership' as const,
    name: `${ROLES.app} IN ${role}`,
    facts: { member: ROLES.app, role, admin: false, inherit: false, set: true },
    trees: {},
    compiled: true
  }))
  return [...roles, ...memberships]
}

/** Whether the record can make an object wanted that the compiled policy does not have. */
function mayBeRecorded({ kind, name, facts }: CatalogItem, bundle: Bundle): boolean {
  switch (kind) {
    case 'policy':
    case 'function':
      return false
    case 'trigger':
      return !name.startsWith('twinrule_')
    case 'membership': {
      const [member, role] = [String(facts['member']), String(facts['role'])]
      return !managedRoles(bundle).includes(member) && !OWNER_ROLES.includes(role)
    }
    default:
      return true
  }
}

/** Who may do what: what the statements gave, and what the record has of roles that twinrule does not manage. */
function grantsWanted({ bundle, record, live }: Sources, { grants }: Expected): readonly Wanted[] {
  // without a record, what is there stands in for it where the statements do not say everything
  const entries = entriesByObject(record ?? live)
  const there = byKey(live.items)
  const managed = managedRoles(bundle)
  const plain = plainRelations(bundle).map(({ table }) => `public.${table}`)
  const tables = catalogScope(bundle).tables.map(table => `public.${table}`)
  const closed = (object: string) => (role: string) => {
    if (/^(?:schema |database$|new objects$)/.test(object)) return false
    if (object.endsWith(')')) return true
    const ours = object.startsWith('twinrule.') || tables.includes(object)
    return ours && (managed.includes(role) || (role === PUBLIC && !plain.includes(object)))
  }
  return [...new Set([...entries.keys(), ...grants.objects()])].map(name => {
    const recorded = entries.get(name) ?? []
    const hasColumn = (column: string) => column in (there.get(`columns ${name}`)?.facts ?? {})
    const owner = (there.get(`table ${name}`)?.facts['owner'] ?? null) as string | null
    const wanted = grants.entriesOf(name, { recorded, closed: closed(name), owner, hasColumn })
    const compiled = grants.objects().includes(name)
    return { kind: 'grants', name, facts: { entries: wanted }, trees: {}, compiled }
  })
}

function entriesByObject({ items }: Catalog): ReadonlyMap<string, readonly string[]> {
  return new Map(
    items.flatMap(({ kind, name, facts }) =>
      kind === 'grants' ? [[name, facts['entries'] as readonly string[]] as const] : []
    )
  )
}

/** Objects by their keys. */
export function byKey(items: readonly CatalogItem[]): Objects<CatalogItem> {
  return new Map(items.map(item => [keyOf(item), item]))
}
