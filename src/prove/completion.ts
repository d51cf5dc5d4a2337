import { anyOf, anyValue } from '../analysis/sorts.js'
import type { Related } from '../ir/evaluate.js'
import type { Relation } from '../ir/formula.js'
import type { Column, Resource } from '../ir/model.js'
import type { Value } from '../ir/values.js'
import type { Named } from './counterexample.js'

interface Rows {
  readonly row: Named
  readonly next: Named | null
}

/** Related rows that are not looked at get ids of their own, from here downwards. */
const LAST_ID = 0xfffe

/**
 * The rows of a case with a value in every column and with all related rows. These have the keys of the row to which
 * they belong; where both rows of an update have one key, their related rows are the same.
 */
export function completed(resource: Resource, old: Named, changed: Named | null): Rows {
  let made = 0
  const columns = (given: Named) =>
    Object.fromEntries(resource.columns.map(column => [column.name, valueIn(column, given[column.name])]))
  const related = (relation: Relation, list: readonly Related[], key: Value) =>
    list.map(one => relatedRow(relation, one, key, LAST_ID - made++))
  const listOf = (row: Named, { name }: Relation) => (row[name] ?? []) as readonly Related[]
  const row: Record<string, Named[string]> = columns(old)
  const next: Record<string, Named[string]> | null = changed === null ? null : columns(changed)
  for (const relation of resource.relations) {
    const { name, local } = relation
    row[name] = related(relation, listOf(old, relation), row[local] as Value)
    if (next === null || changed === null) continue
    next[name] =
      next[local] === row[local]
        ? row[name]
        : related(relation, listOf(changed, relation), next[local] as Value)
  }
  return { row, next }
}

function valueIn({ type, nullable }: Column, given: Named[string] | undefined): Named[string] {
  return given === undefined ? anyValue(type, nullable) : given
}

function relatedRow({ columns, remote }: Relation, given: Related, key: Value, id: number): Related {
  return Object.fromEntries(
    columns.map(({ name, type, nullable }) => {
      if (name === remote) return [name, key]
      if (given[name] !== undefined) return [name, given[name]]
      const isKey = type.kind === 'uuid' || type.kind === 'int' || type.kind === 'text'
      return [name, !nullable && isKey ? anyOf(type, id) : (anyValue(type, nullable) as Value)]
    })
  )
}
