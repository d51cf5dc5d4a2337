import { anyValue } from '../../analysis/sorts.js'
import type { Now } from '../../backends/compiled.js'
import type { Related, Values } from '../../ir/evaluate.js'
import type { Relation } from '../../ir/formula.js'
import { jsonValue } from '../../ir/json.js'
import type { Bundle, Column, Resource } from '../../ir/model.js'
import type { Scalar, Value } from '../../ir/values.js'
import type { Candidates } from './candidates.js'
import { nextOf, type State, type Wanted } from './constraints.js'
import type { Step } from './explanation.js'
import { jsonRow } from './trace.js'

/** A step and the request after it. */
export interface Option {
  readonly step: Step
  readonly state: State
}

/** More rows than this are not tried for one relation, and sets only of so many values. */
const MAX_ROWS = 20_000
const MAX_SET = 6

/** What a search has spent. `cut`: something was left out because there was too much of it. */
export interface Meter {
  tried: number
  cut: boolean
}

/** What steps are made of. */
export interface Palette {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly candidates: Candidates
  readonly wanted: readonly Wanted[]
  readonly now: Now
  /** Rows that could be added, by relation and key. */
  readonly rows: Map<string, readonly Related[]>
  readonly meter: Meter
}

/** Every step that changes one attribute, by the name that constraints know it by. */
export function optionsOf(palette: Palette, at: string, state: State): readonly Option[] {
  const { bundle, resource } = palette
  const [side = '', name = ''] = at.split('.')
  // an identity is not changed: another user and another row are another question
  const fixed = name === 'id'
  if (side === 'principal') {
    const attribute = bundle.principal.find(one => one.name === name)
    if (attribute === undefined || fixed) return []
    const into = (value: Value): State => ({ ...state, principal: { ...state.principal, [name]: value } })
    const values = palette.candidates.principal(name)
    return valueOptions(
      at,
      { ...attribute, nullable: true },
      (state.principal[name] ?? null) as Value,
      values,
      into
    )
  }
  const relation = resource.relations.find(one => one.name === name)
  if (relation !== undefined) return relatedOptions(palette, at, relation, state)
  const column = resource.columns.find(one => one.name === name)
  if (column === undefined) return []
  if (side === 'resource') return fixed ? [] : rowOptions(palette, at, column, state)
  return [
    ...leaveOption(resource, at, name, state),
    ...(fixed ? [] : changeOptions(palette, at, column, state))
  ]
}

/** Another value for a scalar; one item more or less for a set. */
function valueOptions(
  at: string,
  column: Pick<Column, 'type' | 'nullable'>,
  current: Value,
  candidates: readonly Scalar[],
  into: (value: Value) => State
): readonly Option[] {
  const { type, nullable } = column
  if (type.kind !== 'set') {
    const values: readonly Value[] = nullable ? [...candidates, null] : candidates
    return values
      .filter(value => value !== current)
      .map(value => ({
        step: { change: 'set', at, from: jsonValue(type, current), to: jsonValue(type, value) },
        state: into(value)
      }))
  }
  const items = (current ?? []) as readonly (Scalar | null)[]
  const item = (value: Scalar | null) => jsonValue(type.of, value)
  const added = candidates
    .filter(value => !items.includes(value))
    .map((value): Option => {
      return { step: { change: 'add', at, value: item(value) }, state: into([...items, value]) }
    })
  const removed = [...new Set(items)].map((value): Option => {
    const rest = items.filter(one => one !== value)
    return { step: { change: 'remove', at, value: item(value) }, state: into(rest) }
  })
  const emptied: readonly Option[] =
    current === null ? [{ step: { change: 'set', at, from: null, to: [] }, state: into([]) }] : []
  return [...added, ...removed, ...emptied]
}

function rowOptions(
  { resource, candidates }: Palette,
  at: string,
  column: Column,
  state: State
): readonly Option[] {
  const { name } = column
  const current = (state.old[name] ?? null) as Value
  // related rows that were sent go with the key of the row, unless the change brings a key of its own
  const sent = Object.hasOwn(state.changes, name) ? {} : unrelated(resource, name, state.changes)
  const changes = Object.keys(sent).length === 0 ? state.changes : { ...state.changes, ...sent }
  return valueOptions(at, column, current, candidates.column(name), value => ({
    ...state,
    old: { ...state.old, ...unrelated(resource, name), [name]: value },
    changes
  }))
}

/** A row with another key has no related rows until some are added. */
function unrelated(resource: Resource, column: string, among?: Values): Values {
  const relations = resource.relations.filter(({ name, local }) => {
    return local === column && (among === undefined || Object.hasOwn(among, name))
  })
  return Object.fromEntries(relations.map(({ name }) => [name, []]))
}

function leaveOption(resource: Resource, at: string, name: string, state: State): readonly Option[] {
  if (!Object.hasOwn(state.changes, name)) return []
  const gone = [name, ...Object.keys(unrelated(resource, name))]
  const changes = Object.fromEntries(Object.entries(state.changes).filter(([key]) => !gone.includes(key)))
  return [{ step: { change: 'leave', at }, state: { ...state, changes } }]
}

function changeOptions(
  { resource, candidates }: Palette,
  at: string,
  column: Column,
  state: State
): readonly Option[] {
  const { name } = column
  const current = (nextOf(state)[name] ?? null) as Value
  return valueOptions(at, column, current, candidates.column(name), value => ({
    ...state,
    changes: { ...state.changes, ...unrelated(resource, name), [name]: value }
  }))
}

/** A related row more or less, or one with another value. Only those of the changes that were sent with them. */
function relatedOptions(palette: Palette, at: string, relation: Relation, state: State): readonly Option[] {
  const { name, local } = relation
  const inChanges = at.startsWith('changes.')
  if (inChanges && !Object.hasOwn(state.changes, name)) return []
  const side = inChanges ? state.changes : state.old
  const rows = (side[name] ?? []) as readonly Related[]
  const key = ((inChanges ? nextOf(state) : state.old)[local] ?? null) as Scalar | null
  const into = (next: readonly Related[]): State =>
    inChanges
      ? { ...state, changes: { ...state.changes, [name]: next } }
      : { ...state, old: { ...state.old, [name]: next } }
  const full = relation.cardinality === 'one' && rows.length > 0
  const added = key === null || full ? [] : newRows(palette, relation, key, state)
  return [
    ...added.map((row): Option => {
      return {
        step: { change: 'add_row', at, row: jsonRow(relation.columns, row) },
        state: into([...rows, row])
      }
    }),
    ...rows.flatMap((row, i) => {
      const place = `${at}[${i}]`
      const removed: Option = {
        step: { change: 'remove_row', at: place, row: jsonRow(relation.columns, row) },
        state: into(rows.filter(one => one !== row))
      }
      const changed = relation.columns
        .filter(column => column.name !== relation.remote)
        .flatMap(column => {
          const values = palette.candidates.related(relation.name, column.name)
          if (values.length === 0) return []
          const put = (value: Value) =>
            into(rows.map(one => (one === row ? { ...row, [column.name]: value } : one)))
          return valueOptions(`${place}.${column.name}`, column, row[column.name] ?? null, values, put)
        })
      return [removed, ...changed]
    })
  ]
}

/** The rows that could be added and would make some test of the relation true. */
function newRows(palette: Palette, relation: Relation, key: Scalar, state: State): readonly Related[] {
  const tests = palette.wanted.filter(one => one.relation.name === relation.name)
  const next = nextOf(state)
  const { principal, old } = state
  const { now } = palette
  return possibleRows(palette, relation, key).filter(row =>
    tests.some(({ passes }) => passes(principal, old, now, row) || passes(principal, next, now, row))
  )
}

/** Every row that a relation may have for a key; of columns that no condition reads, one value is enough. */
function possibleRows(palette: Palette, relation: Relation, key: Scalar): readonly Related[] {
  const { meter } = palette
  const known = palette.rows.get(`${relation.name} ${key}`)
  if (known !== undefined) return known
  let rows: readonly Related[] = [{ [relation.remote]: key }]
  for (const { name, type, nullable } of relation.columns) {
    if (name === relation.remote) continue
    const scalars = palette.candidates.related(relation.name, name)
    const some = type.kind === 'set' ? setsOf(scalars, meter) : scalars
    const values: readonly Value[] =
      scalars.length === 0 ? [anyValue(type, nullable)] : nullable ? [...some, null] : some
    if (rows.length * values.length > MAX_ROWS) meter.cut = true
    else rows = rows.flatMap(row => values.map(value => ({ ...row, [name]: value })))
  }
  palette.rows.set(`${relation.name} ${key}`, rows)
  return rows
}

/** Every set of some values. */
function setsOf(values: readonly Scalar[], meter: Meter): readonly (readonly Scalar[])[] {
  const kept = values.slice(0, MAX_SET)
  if (kept.length < values.length) meter.cut = true
  let sets: readonly (readonly Scalar[])[] = [[]]
  for (const value of kept) sets = sets.flatMap(set => [set, [...set, value]])
  return sets
}
