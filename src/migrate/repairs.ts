import { OWN_TRIGGER } from '../backends/sql/column-guards.js'
import { ROLES } from '../backends/sql/names.js'
import { objectKey } from '../backends/sql/object.js'
import type { CatalogItem } from '../db/catalog/item.js'
import type { ChangedItem } from '../db/catalog/record.js'
import type { PlanObject } from './plan-object.js'

/** What somebody changed by hand since the last migration. */
export interface Changes {
  readonly items: readonly ChangedItem[]
  /** Tables of which columns came or went: what is granted by column depends on them. */
  readonly columns: readonly string[]
}

/** What puts it right. */
export interface Repairs {
  /** The keys of the objects to apply again. */
  readonly keys: ReadonlySet<string>
  /** What is there and in no policy. The check of leftovers drops it. */
  readonly leftovers: readonly Leftover[]
}

/** A policy, trigger or function in the way that objects are named. */
export interface Leftover {
  readonly kind: 'policy' | 'trigger' | 'function'
  readonly table: string | null
  readonly name: string
}

/** The roles of which there are settings. */
const LOGINS: readonly string[] = [ROLES.app, ROLES.service]

/** Parts of the catalog that others change as they like: no generated object is about them. */
const OTHERS: readonly CatalogItem['kind'][] = [
  'rule',
  'index',
  'constraint',
  'open relation',
  'open function'
]

/**
 * The objects whose part of the catalog is not what the last migration left, and what is there beside them. Null when
 * the difference is of a kind that no object answers for.
 */
export function repairsFor(after: readonly PlanObject[], { items, columns }: Changes): Repairs | null {
  const keys = new Set<string>()
  const leftovers: Leftover[] = []
  const stale = after.filter(
    ({ kind, table }) => kind === 'grant' && table !== null && columns.includes(table)
  )
  for (const object of stale) keys.add(objectKey(object))
  for (const { item, there } of items) {
    if (OTHERS.includes(item.kind)) continue
    const owners = after.filter(object => answersFor(object, item))
    for (const owner of owners) keys.add(objectKey(owner))
    if (owners.length > 0 || !there) continue
    const leftover = leftoverOf(item)
    if (leftover !== null) leftovers.push(leftover)
    // safety: what no object answers for is put right by applying everything
    else if (isOurs(item)) return null
  }
  return { keys, leftovers }
}

function leftoverOf(item: CatalogItem): Leftover | null {
  const { kind, name } = item
  if (kind === 'function') return { kind, table: null, name }
  if (kind !== 'policy' && kind !== 'trigger') return null
  const table = tableOf(item)
  const own = ownName(item)
  const ours = kind === 'trigger' ? new RegExp(OWN_TRIGGER).test(own) : own.startsWith('twinrule_')
  return ours ? { kind, table, name: own } : null
}

function isOurs({ kind, name }: CatalogItem): boolean {
  if (kind === 'event trigger') return name.startsWith('twinrule')
  if (kind === 'grants') return name === 'database' || name === 'new objects' || name.startsWith('schema ')
  return kind === 'schema' || kind === 'database'
}

/** Whether applying the object again puts the part of the catalog right. */
export function answersFor(object: PlanObject, item: CatalogItem): boolean {
  const table = tableOf(item)
  if (table !== null) return answersForTable(object, item, table)
  switch (item.kind) {
    case 'function':
      return isFunction(object, item.name)
    case 'role':
      return object.kind === 'role' && (object.name === item.name || object.name.startsWith(`${item.name} `))
    case 'settings':
      return object.kind === 'role' && object.name === 'timeouts' && LOGINS.includes(item.name)
    case 'membership':
      return object.kind === 'role' && object.name === `${item.facts['member']} in ${item.facts['role']}`
    case 'schema':
      return object.kind === 'schema'
    case 'grants':
      if (item.name === 'database') return object.kind === 'grant' && object.name === 'database'
      if (item.name.startsWith('schema ')) return object.kind === 'schema'
      return item.name.includes('(') ? isFunction(object, item.name) : makes(object, item.name)
    default:
      return makes(object, item.name)
  }
}

function answersForTable(object: PlanObject, item: CatalogItem, table: string): boolean {
  const tenancy = object.table === null && object.name === table
  switch (item.kind) {
    case 'policy':
      if (tenancy) return object.kind === 'rls' && ownName(item).endsWith('_context')
      return isNamed(object, 'policy', table, item)
    case 'trigger':
      return isNamed(object, 'trigger', table, item)
    case 'table':
      return object.kind === 'rls' && (tenancy || object.table === table)
    case 'grants':
      return object.kind === 'grant' && (tenancy || object.table === table)
    default:
      return false
  }
}

function isNamed(object: PlanObject, kind: PlanObject['kind'], table: string, item: CatalogItem): boolean {
  return object.kind === kind && object.table === table && object.name === ownName(item)
}

function isFunction(object: PlanObject, signature: string): boolean {
  return object.kind === 'function' && object.name.replaceAll('"', '') === signature
}

/** Whether the object makes this table of the schema twinrule. */
function makes({ up }: PlanObject, name: string): boolean {
  return (
    name.startsWith('twinrule.') && up.replaceAll('"', '').includes(`CREATE TABLE IF NOT EXISTS ${name} (`)
  )
}

/** The table of schema public that an item is about, by its bare name. */
export function tableOf({ kind, name, facts }: CatalogItem): string | null {
  const of = kind === 'table' || kind === 'grants' ? name : facts['table']
  return typeof of === 'string' && of.startsWith('public.') && !of.includes('(')
    ? unquoted(of.slice('public.'.length))
    : null
}

/** The name of what is on a table: the snapshot says `name ON schema.table`. */
function ownName({ name, facts }: CatalogItem): string {
  const suffix = ` ON ${String(facts['table'])}`
  return unquoted(name.endsWith(suffix) ? name.slice(0, -suffix.length) : name)
}

function unquoted(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier
}
