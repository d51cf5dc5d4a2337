import { type Compared, type Comparison, relationsOf } from '../analysis/comparisons.js'
import type { RelatedLists } from '../analysis/counting.js'
import type { Space } from '../analysis/models.js'
import type { RelatedRows } from '../analysis/related.js'
import { countFor, union, type Wanted, witnessesOf } from '../analysis/witnesses.js'
import type { Related, Values } from '../ir/evaluate.js'
import type { Condition, Relation } from '../ir/formula.js'
import type { Resource } from '../ir/model.js'
import type { Value } from '../ir/values.js'
import type { Named } from './counterexample.js'
import { joined } from './lists.js'
import { signaturesOfParts } from './signatures.js'

/** A condition that a search looks at, and what it must be in the case that is sought. */
export interface Demand {
  readonly condition: Condition
  readonly wanted: Wanted
}

/** The related rows of a search: how many a case needs, how they are made, and by which keys they belong to a row. */
export interface RelatedSearch {
  readonly relations: readonly Relation[]
  /** Enough for every demand at once: the rows on which none of them rests can be left out of a case. */
  readonly lists: readonly RelatedLists[]
  /** The key columns of the row, so that each has a value or is NULL. */
  readonly keys: readonly Comparison[]
  /** The keys of related rows that some condition reads, which are those of the row. */
  readonly joins: readonly Comparison[]
  readonly how: RelatedRows
}

/** What some demands on a row of a resource need of related rows. */
export function relatedSearch(
  resource: Resource,
  demands: readonly Demand[],
  comparisons: readonly Comparison[]
): RelatedSearch {
  const conditions = demands.map(({ condition }) => condition)
  const names = new Set(conditions.flatMap(relationsOf).map(({ name }) => name))
  const relations = resource.relations.filter(({ name }) => names.has(name))
  const witnesses = union(demands.map(({ condition, wanted }) => witnessesOf(joined(condition), wanted)))
  const keyed = relations.map(relation => ({ relation, ends: endsOf(resource, relation, comparisons) }))
  const signatures = signaturesOfParts(relations, { conditions })
  const compared = new Map(keyed.map(({ relation, ends }) => [relation.name, ends.remote?.name]))
  return {
    relations,
    lists: relations.map(({ name }) => ({ relation: name, most: countFor(witnesses, name) })),
    keys: keyed.map(({ ends }) => ({ terms: [ends.local], ordered: false })),
    joins: keyed.flatMap(({ ends: { local, remote } }) =>
      remote === null ? [] : [{ terms: [local, remote], ordered: false }]
    ),
    how: {
      empty: () => ({}),
      signature: (principal, now) => {
        const signed = signatures(principal, now)
        return relation => {
          const seen = signed(relation)
          const key = compared.get(relation)
          return key === undefined ? seen : row => `${seen(row)} ${typeof row[key]} ${row[key]}`
        }
      }
    }
  }
}

interface Ends {
  readonly local: Extract<Compared, { kind: 'column' }>
  /** Null where no condition reads it: it is whatever the row's own key is. */
  readonly remote: Extract<Compared, { kind: 'related' }> | null
}

function endsOf(resource: Resource, relation: Relation, comparisons: readonly Comparison[]): Ends {
  const remote = comparisons
    .flatMap(({ terms }) => terms)
    .find(
      (term): term is Extract<Compared, { kind: 'related' }> =>
        term.kind === 'related' && term.relation.name === relation.name && term.name === relation.remote
    )
  const type = resource.columns.find(({ name }) => name === relation.local)?.type ?? { kind: 'uuid' }
  return { local: { kind: 'column', name: relation.local, type }, remote: remote ?? null }
}

/** Whether the related rows of a row can be those that have its keys. A NULL leads to none. */
export function keyFit(
  space: Space,
  relations: readonly Relation[]
): (row: Values, used: readonly number[]) => boolean {
  const keys = relations.map(({ name, local, remote }) => {
    const domain = space.row.find(({ variable }) => variable.name === local)?.domain ?? -1
    const slots = space.related.find(one => one.relation === name)?.slots ?? []
    const compared = slots.some(({ variable }) => variable.name === remote)
    return { name, local, remote, domain, compared, values: space.domains[domain]?.values ?? [] }
  })
  return (row, used) =>
    keys.every(({ name, local, remote, domain, compared, values }) => {
      const list = (row[name] ?? []) as readonly Related[]
      const key = (row[local] ?? null) as Value
      if (list.length === 0) return true
      if (key === null) return false
      const taken = used[domain] ?? 0
      const isFree = (value: Value | undefined) => values.indexOf(value as (typeof values)[number]) >= taken
      // values that neither a literal nor the principal has may stand for each other
      return !compared || list.every(one => one[remote] === key || (isFree(key) && isFree(one[remote])))
    })
}

/**
 * Whether tables can hold these rows and no others, so that each has the related rows that it has here: a relation to
 * one row has one at most, and relations to one table do not hide rows from each other.
 */
export function canArise(resource: Resource, rows: readonly Named[]): boolean {
  const listOf = (row: Named, { name }: Relation) => (row[name] ?? []) as readonly Related[]
  const tables = new Map<string, Related[]>()
  for (const row of rows) {
    for (const relation of resource.relations) {
      // what callers pass is no table, and may be any list
      if (relation.table === null) continue
      tables.set(relation.table, [...(tables.get(relation.table) ?? []), ...listOf(row, relation)])
    }
  }
  return rows.every(row =>
    resource.relations.every(relation => {
      const list = listOf(row, relation)
      if (relation.cardinality === 'one' && list.length > 1) return false
      const texts = new Set(list.map(textOf))
      const all = tables.get(relation.table ?? '') ?? []
      return all.every(one => one[relation.remote] !== row[relation.local] || texts.has(textOf(one)))
    })
  )
}

function textOf(row: Related): string {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${typeof value} ${String(value)}`)
    .sort()
    .join('|')
}
