import type { Space } from '../analysis/models.js'
import type { Scalar, Value } from '../ir/values.js'
import type { Named } from './counterexample.js'

/** For which values of a row another may stand: those of no literal and not of the principal. */
export interface Names {
  /** The number of the domain of each column that both rows have. */
  readonly shared: ReadonlyMap<string, number>
  readonly domains: Space['domains']
  /** How many values of each domain the literals and the principal have taken. */
  readonly taken: readonly number[]
}

/** Values of one domain that occur in the same columns. */
type Groups = ReadonlyMap<string, readonly Scalar[]>

/**
 * What two rows must have in common to be made equal in some columns by renaming values that nobody names: the named
 * values in their places, and how many other values stand in which of the columns.
 */
export function tieOf(names: Names, row: Named, columns: readonly string[]): string {
  const fixed = columns.map(column => {
    const domain = names.shared.get(column) ?? 0
    const value = (row[column] ?? null) as Value
    if (Array.isArray(value)) {
      return `{${(value as readonly Value[]).filter(item => !isFree(names, domain, item)).map(textOf)}}`
    }
    return isFree(names, domain, value) ? '*' : textOf(value)
  })
  const groups = [...groupsOf(names, row, columns)].map(([where, values]) => `${where}:${values.length}`)
  return [...fixed, ...groups.sort()].join('|')
}

/** A value as text, different for different values. */
export function textOf(value: Value): string {
  return Array.isArray(value) ? `{${value.map(textOf)}}` : `${typeof value} ${String(value)}`
}

/**
 * The new row with its free values renamed so that it equals the old row in `columns`, which `tieOf` says is possible,
 * and has none of its values elsewhere. First the plain way, then with two interchangeable values swapped: if any way
 * makes a difference in some other column, one of these does.
 */
export function* renamings(names: Names, old: Named, next: Named, columns: readonly string[]) {
  const targets = groupsOf(names, old, columns)
  const pairs = [...groupsOf(names, next, columns)].flatMap(([where, values]) =>
    values.map((value, i) => ({ where, value, to: targets.get(where)?.[i] ?? value }))
  )
  const renamed = (swapped: readonly (typeof pairs)[number][]) => {
    const to = new Map(swapped.map(one => [`${domainIn(one.where)} ${textOf(one.value)}`, one.to]))
    return { ...renameRow(names, old, next, to), ...pick(old, columns) }
  }
  yield renamed(pairs)
  for (const [i, a] of pairs.entries()) {
    for (const b of pairs.slice(i + 1)) {
      if (a.where !== b.where) continue
      const others = pairs.filter(one => one !== a && one !== b)
      yield renamed([...others, { ...a, to: b.to }, { ...b, to: a.to }])
    }
  }
}

function pick(row: Named, columns: readonly string[]): Named {
  return Object.fromEntries(columns.map(column => [column, row[column] ?? null]))
}

function isFree({ domains, taken }: Names, domain: number, value: Value): boolean {
  const at = domains[domain]?.values.indexOf(value as Scalar) ?? -1
  return at >= (taken[domain] ?? 0)
}

function domainIn(where: string): string {
  return where.slice(0, where.indexOf(' '))
}

/** The columns that two rows may share hold values, never related rows. */
function itemsOf(value: Named[string] | undefined): readonly (Scalar | null)[] {
  return Array.isArray(value) ? (value as readonly (Scalar | null)[]) : [(value ?? null) as Scalar | null]
}

function groupsOf(names: Names, row: Named, columns: readonly string[]): Groups {
  const places = new Map<string, { readonly domain: number; readonly value: Scalar; where: string }>()
  for (const column of columns) {
    const domain = names.shared.get(column) ?? 0
    for (const value of itemsOf(row[column])) {
      if (value === null || !isFree(names, domain, value)) continue
      const key = `${domain} ${textOf(value)}`
      const place = places.get(key) ?? { domain, value, where: `${domain}` }
      place.where += ` ${column}`
      places.set(key, place)
    }
  }
  const groups = new Map<string, readonly Scalar[]>()
  for (const { where, value } of places.values()) groups.set(where, [...(groups.get(where) ?? []), value])
  return groups
}

function renameRow(names: Names, old: Named, next: Named, to: Map<string, Scalar>): Named {
  const row = { ...next } as Record<string, Value>
  const busy = new Set<Scalar | null>([
    ...[...names.shared.keys()].flatMap(column => itemsOf(old[column])),
    ...to.values()
  ])
  for (const [column, domain] of names.shared) {
    const rename = (value: Scalar | null): Scalar | null => {
      if (value === null || !isFree(names, domain, value)) return value
      const key = `${domain} ${textOf(value)}`
      const known = to.get(key)
      if (known !== undefined) return known
      const pool = names.domains[domain]?.values.slice(names.taken[domain]) ?? []
      const made = pool.find(one => !busy.has(one)) ?? value
      busy.add(made)
      to.set(key, made)
      return made
    }
    const value = next[column] ?? null
    row[column] = Array.isArray(value) ? value.map(rename) : rename(value as Scalar | null)
  }
  return row
}
