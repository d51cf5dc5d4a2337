import { stringify } from 'yaml'
import type { Related } from '../ir/evaluate.js'
import type { JsonValue } from '../ir/json.js'
import type { JsonRow } from './fixtures.js'
import { columnsOf, type OwnTelling } from './kill-case.js'
import type { Telling } from './kill-known.js'
import { uuidFor } from './names.js'
import type { Person } from './person.js'

/** A test about rows that the file has, as an item of its `tests`. */
export function knownYaml({ test, decision }: Telling, comments: readonly string[]): string {
  const { who, action, what, changes } = test
  return item(comments, {
    who: who.name,
    [decision ? 'may' : 'may_not']: action,
    what: what.name,
    ...(changes === null ? {} : { changes })
  })
}

/**
 * A test about a principal and a row of its own, as an item of `tests`.
 *
 * @param salt makes the ids those of this test alone, so that several can be pasted into one file
 */
export function ownYaml({ test, decision }: OwnTelling, comments: readonly string[], salt: string): string {
  const { resource, person, action, row, changes } = test
  const columns = columnsOf(resource.columns, row)
  const related = resource.relations.flatMap(({ name, columns: own, remote, cardinality }) => {
    const rows = ((row[name] ?? []) as readonly Related[]).map(one => {
      const { [remote]: _, ...rest } = columnsOf(own, one)
      return withoutNulls(rest)
    })
    if (rows.length === 0) return []
    return [[name, (cardinality === 'one' ? (rows[0] ?? {}) : rows) as JsonValue] as const]
  })
  const stated = { ...withoutNulls(columns), ...Object.fromEntries(related) }
  const asked = {
    who: whoOf(person, [stated, changes ?? {}]),
    [decision ? 'may' : 'may_not']: action,
    what: { [resource.name]: stated },
    ...(changes === null ? {} : { changes: columnsOf(resource.columns, changes) })
  }
  return item(comments, salted(asked, salt) as Readonly<Record<string, JsonValue>>)
}

/** A principal with no more than what matters: ids only where the row has them too. */
function whoOf({ principal }: Person, beside: readonly unknown[]): JsonRow {
  const { id, tenant, role, roles, globalRoles } = principal
  const text = JSON.stringify(beside, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
  const named = (one: string) => text.includes(one) || !MODEL_ID.test(one) || id === tenant.id
  const of = {
    ...(named(tenant.id) ? { id: tenant.id } : {}),
    ...(tenant.type === 'client' ? {} : { type: tenant.type })
  }
  return {
    ...(named(id) ? { id } : {}),
    ...(Object.keys(of).length === 0 ? {} : { tenant: of }),
    ...(role === 'member' ? {} : { role }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(globalRoles.length === 0 ? {} : { global_roles: globalRoles })
  }
}

/** The uuids that models make up. */
const MODEL_ID = /^00000000-0000-4000-8000-[0-9a-f]{12}$/

function salted(value: unknown, salt: string): unknown {
  if (typeof value === 'string') return MODEL_ID.test(value) ? uuidFor(salt, value) : value
  if (Array.isArray(value)) return value.map(one => salted(one, salt))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, salted(part, salt)]))
}

function withoutNulls(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}

function item(comments: readonly string[], keys: Readonly<Record<string, JsonValue>>): string {
  const lines = Object.entries(keys).map(([key, value], i) => {
    const flow = stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
    return `${i === 0 ? '  - ' : '    '}${key}: ${flow}\n`
  })
  return `${comments.map(comment => `  # ${comment}\n`).join('')}${lines.join('')}`
}
