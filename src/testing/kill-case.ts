import { anyOf, anyValue } from '../analysis/sorts.js'
import type { Engine } from '../engine/engine.js'
import type { DecisionRequest } from '../engine/request.js'
import type { Related, Values } from '../ir/evaluate.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import type { Column, Resource } from '../ir/model.js'
import type { Value } from '../ir/values.js'
import type { JsonRow } from './fixtures.js'
import type { Person } from './person.js'

/** A question about a principal and a row of its own. */
export interface OwnCase {
  readonly resource: Resource
  readonly person: Person
  readonly action: string
  /** The row with what matters of it; the rest has any value. */
  readonly row: Values
  readonly changes: Values | null
}

/** A question that two policies answer differently, and the answer of the first. */
export interface OwnTelling {
  readonly test: OwnCase
  readonly decision: boolean
}

/** Whether two engines answer a question differently. */
export function tells(engine: Engine, mutant: Engine, test: OwnCase): OwnTelling | null {
  const request = requestFor(engine, test)
  if (request === null) return null
  const decision = engine.decide(request).decision
  return decision === mutant.decide(request).decision ? null : { test, decision }
}

function requestFor({ bundle }: Engine, test: OwnCase): DecisionRequest | null {
  const { resource, person, action, changes } = test
  const row = wholeRow(resource, test.row)
  if (row === null) return null
  const { id: subject, ...properties } = Object.fromEntries(
    bundle.principal.map(({ name, type }) => [name, jsonValue(type, (person.values[name] ?? null) as Value)])
  )
  const proposed = changes === null ? {} : { properties: { changes: changesOf(resource, changes) } }
  return {
    subject: { type: 'user', id: String(subject), properties },
    action: { name: action, ...proposed },
    resource: { type: resource.name, id: String(row['id'] ?? ''), properties: row }
  }
}

/** The columns that change. A new key is nobody else's, so no related rows come with it. */
function changesOf({ columns, relations }: Resource, changes: Values): JsonRow {
  const moved = relations.filter(({ local }) => Object.hasOwn(changes, local))
  return { ...columnsOf(columns, changes), ...Object.fromEntries(moved.map(({ name }) => [name, []])) }
}

/** Every column and relation of a row; null where its related rows could not belong to it. */
function wholeRow(resource: Resource, row: Values): JsonRow | null {
  const whole: Record<string, JsonValue> = Object.fromEntries(
    resource.columns.map(column => [column.name, jsonOf(column, row)])
  )
  for (const { name, local, remote, columns } of resource.relations) {
    const rows = (row[name] ?? []) as readonly Related[]
    const type = resource.columns.find(column => column.name === local)?.type
    // a row has a key where others relate to it
    if (rows.length > 0 && whole[local] === null && !Object.hasOwn(row, local) && type !== undefined) {
      whole[local] = type.kind === 'set' ? null : jsonValue(type, anyOf(type, 0xfffd))
    }
    if (rows.length > 0 && whole[local] === null) return null
    const key = whole[local] ?? null
    whole[name] = rows.map(one => ({
      ...Object.fromEntries(columns.map(column => [column.name, jsonOf(column, one)])),
      [remote]: key
    }))
  }
  return whole
}

function jsonOf({ name, type, nullable }: Column, from: Values | Related): JsonValue {
  const known = Object.hasOwn(from, name)
  return jsonValue(type, known ? ((from[name] ?? null) as Value) : anyValue(type, nullable))
}

/** Some columns as JSON. */
export function columnsOf(columns: readonly Column[], values: Values | Related): JsonRow {
  const present = columns.filter(({ name }) => Object.hasOwn(values, name))
  return Object.fromEntries(
    present.map(({ name, type }) => [name, jsonValue(type, (values[name] ?? null) as Value)])
  )
}
