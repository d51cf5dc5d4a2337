import type { Related, Values } from '../ir/evaluate.js'
import type { Relation } from '../ir/formula.js'
import type { Bundle, Column, Resource } from '../ir/model.js'
import { canonical, problemOf, readValue, type Value } from '../ir/values.js'
import type { DecisionRequest, DenyCode } from './request.js'

/** Why attributes cannot be decided on. */
export interface Refusal {
  readonly code: DenyCode
  readonly reason: string
}

/**
 * An object without anything inherited, as `Object.create(null)` makes one. V8 keeps that as a hash table, and this as an
 * object of known shape, in which the rules find a column at once.
 */
class Bare {
  readonly [column: string]: never
}
// safety: a column may be called `constructor` or `__proto__`
Object.setPrototypeOf(Bare.prototype, null)
Reflect.deleteProperty(Bare.prototype, 'constructor')
Object.freeze(Bare.prototype)

/** Canonical values, or why there are none. */
export type Canonicalised =
  | { readonly ok: true; readonly values: Values }
  | ({ readonly ok: false } & Refusal)

/** The principal of a request: declared attributes only, an absent one is null. */
export function principalOf(bundle: Bundle, { subject }: DecisionRequest): Canonicalised {
  const values: Record<string, Value> = new Bare()
  const { id, properties } = subject
  for (const { name, type } of bundle.principal) {
    const input = name === 'id' ? id : own(properties, name)
    const value = readValue(type, input)
    if (value === undefined) {
      const code = name === 'id' ? 'unknown_subject' : 'invalid_attribute'
      return refuse(code, `subject.${name}: ${problemOf(type, input)}`)
    }
    values[name] = value
  }
  return { ok: true, values }
}

/**
 * The row of a request: every declared column, an absent one null where the policy says it may be.
 * Properties that no rule can read are left out.
 */
export function rowOf(resource: Resource, { resource: asked }: DecisionRequest): Canonicalised {
  const values: Record<string, Values[string]> = new Bare()
  const { id, properties } = asked
  let key: Column | null = null
  for (const column of resource.columns) {
    const { name } = column
    const sent = own(properties, name)
    if (name === 'id') key = column
    const input = name === 'id' ? (sent ?? id) : sent
    const value = columnValue(column, input)
    if (value === undefined) return { ok: false, ...refusedColumn(column, input) }
    values[name] = value
  }
  for (const relation of resource.relations) {
    const related = relatedValues(
      relation,
      own(properties, relation.name),
      values[relation.local],
      'resource'
    )
    if ('code' in related) return { ok: false, ...related }
    values[relation.name] = related.rows
  }
  // safety: the row that is judged is the row that was asked for
  if (key !== null && readValue(key.type, id) !== values['id']) {
    return refuse('invalid_attribute', 'resource.properties.id is not resource.id')
  }
  return { ok: true, values }
}

/** The row after a proposed change. Only declared columns can be judged, so others are refused. */
export function changedRow(resource: Resource, row: Values, { action }: DecisionRequest): Canonicalised {
  const changes = own(action.properties, 'changes')
  if (changes === undefined || changes === null) return { ok: true, values: row }
  if (typeof changes !== 'object' || Array.isArray(changes)) {
    return refuse('invalid_attribute', 'action.properties.changes is not an object of columns')
  }
  const values: Record<string, Values[string]> = Object.assign(new Bare(), row)
  const related = relatedChanges(resource, row, changes)
  if ('code' in related) return { ok: false, ...related }
  Object.assign(values, related.rows)
  for (const [name, input] of Object.entries(changes)) {
    if (resource.relations.some(relation => relation.name === name)) continue
    const column = resource.columns.find(one => one.name === name)
    if (column === undefined) {
      // safety: a misspelt column must not be judged as "nothing changes"
      const known = resource.columns.map(one => one.name).join(', ')
      return refuse(
        'unknown_attribute',
        `changes a column that ${resource.name} does not declare; declared: ${known}`
      )
    }
    const value = columnValue(column, input)
    if (value === undefined) return { ok: false, ...refusedColumn(column, input) }
    values[name] = value
  }
  return { ok: true, values }
}

/** Related rows go with the column that leads to them: when it changes, others belong to the row. */
function relatedChanges(
  resource: Resource,
  row: Values,
  changes: object
): { readonly rows: Readonly<Record<string, readonly Related[]>> } | Refusal {
  const rows: Record<string, readonly Related[]> = {}
  for (const relation of resource.relations) {
    const sent = own(changes as Record<string, unknown>, relation.name)
    const leads = own(changes as Record<string, unknown>, relation.local)
    const column = resource.columns.find(({ name }) => name === relation.local)
    const next = column === undefined || leads === undefined ? null : canonical(column.type, leads)
    const moves = next !== null && (!next.ok || next.value !== row[relation.local])
    if (sent === undefined && !moves) continue
    const key = next === null ? row[relation.local] : next.ok ? next.value : null
    const made = relatedValues(relation, sent, key, 'action.properties.changes')
    if ('code' in made) return made
    rows[relation.name] = made.rows
  }
  return { rows }
}

/** More related rows than this are refused: a decision would cost more than a person could have meant. */
const MAX_RELATED = 10_000

/** Related rows as they were sent: a list, or for a relation to one row that row or null. */
function relatedValues(
  relation: Relation,
  sent: unknown,
  key: Values[string] | undefined,
  under: string
): { readonly rows: readonly Related[] } | Refusal {
  const at = `${under}.${relation.name}`
  const single = relation.cardinality === 'one' && !Array.isArray(sent) && sent !== undefined
  const list: unknown = single ? (sent === null ? [] : [sent]) : sent
  // safety: related rows that nobody sent are unknown, which is not the same as none
  if (!Array.isArray(list))
    return { code: 'invalid_attribute', reason: `${at}: the related rows are missing` }
  const most = relation.cardinality === 'one' ? 1 : MAX_RELATED
  if (list.length > most)
    return { code: 'invalid_attribute', reason: `${at}: more than ${most} related rows` }
  const rows: Related[] = []
  for (const one of list as unknown[]) {
    if (typeof one !== 'object' || one === null || Array.isArray(one)) {
      return { code: 'invalid_attribute', reason: `${at}: a related row is an object of columns` }
    }
    const values: Record<string, Value> = new Bare()
    for (const column of relation.columns) {
      const input = own(one as Record<string, unknown>, column.name)
      const value = columnValue(column, input)
      if (value === undefined) return refusedColumn(column, input, at)
      values[column.name] = value
    }
    // safety: rows that belong to another row would open what is not theirs
    if (key === null || key === undefined || values[relation.remote] !== key) {
      const reason = `${at}: a related row whose ${relation.remote} is not ${relation.local} of the row`
      return { code: 'invalid_attribute', reason }
    }
    rows.push(values)
  }
  return { rows }
}

/** The value of a column, undefined when it is none of its type or is missing. */
function columnValue({ type, nullable }: Column, input: unknown): Value | undefined {
  const value = readValue(type, input)
  return value === null && !nullable ? undefined : value
}

function refusedColumn({ name, type }: Column, input: unknown, under = 'resource'): Refusal {
  const missing = input === null || input === undefined
  const reason = missing ? `${under}.${name} is missing` : `${under}.${name}: ${problemOf(type, input)}`
  return { code: 'invalid_attribute', reason }
}

/** A property of the object itself: what it inherits was not sent. */
function own(from: Readonly<Record<string, unknown>> | undefined, name: string): unknown {
  return from !== undefined && Object.hasOwn(from, name) ? from[name] : undefined
}

function refuse(code: DenyCode, reason: string): Canonicalised {
  return { ok: false, code, reason }
}
