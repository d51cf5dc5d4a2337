import { comparisonsOf } from '../analysis/comparisons.js'
import { anyValue } from '../analysis/sorts.js'
import { suggest } from '../errors/suggest.js'
import type { Relation } from '../ir/formula.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import type { Bundle, Column, Resource } from '../ir/model.js'
import type { Type } from '../ir/types.js'
import type { Path } from '../policy/source.js'
import type { JsonRow, PlainRow, Row } from './fixtures.js'
import { intFor, mistake, uuidFor } from './names.js'
import { entriesOf, listOf, type Reader, readValue } from './reader.js'

/** A row on its way: the columns that the file states, and the related rows that are not placed yet. */
interface Draft {
  readonly name: string
  readonly resource: Resource
  readonly path: Path
  readonly columns: Record<string, JsonValue>
  readonly related: readonly { readonly relation: Relation; readonly value: unknown; readonly path: Path }[]
}

/** Reads the rows of a file: those with names, and those that stand where they are used. */
export class Rows {
  readonly #reader: Reader
  readonly #defaults: Readonly<Record<string, unknown>>
  readonly #drafts = new Map<string, Draft>()
  readonly #plain: PlainRow[] = []
  readonly #direct = new Map<string, readonly JsonRow[]>()

  constructor(reader: Reader, defaults: Readonly<Record<string, unknown>>) {
    this.#reader = reader
    this.#defaults = defaults
  }

  /** The id that a row gets: the one it states, or one that is made from its name. */
  idFor(resource: Resource, name: string, value: unknown, path: Path): string | number {
    const type = resource.columns.find(column => column.name === 'id')?.type
    const given = (value as { id?: unknown } | null)?.id
    const stated =
      given === undefined || type === undefined
        ? undefined
        : readValue(this.#reader, type, given, [...path, 'id'])
    if (stated !== undefined && stated !== null) return stated as string | number
    if (type?.kind === 'int') return intFor(resource.name, name)
    return type?.kind === 'text' ? name : uuidFor(resource.name, name)
  }

  /** Takes a row. Its related rows are placed by `finish`, when all rows are known. */
  add(resource: Resource, name: string, value: unknown, path: Path): void {
    const columns: Record<string, JsonValue> = {}
    const related: Draft['related'][number][] = []
    if (resource.columns.some(column => column.name === 'id')) {
      columns['id'] = this.idFor(resource, name, value, path)
    }
    const defaults = entriesOf(this.#defaults[resource.name]).map(([key, input]) => {
      return { key, input, path: ['defaults', resource.name, key] as Path }
    })
    const own = entriesOf(value).map(([key, input]) => ({ key, input, path: [...path, key] }))
    for (const { key, input, path: at } of [...defaults, ...own]) {
      const column = resource.columns.find(one => one.name === key)
      const relation = resource.relations.find(one => one.name === key)
      if (relation !== undefined) related.push({ relation, value: input, path: at })
      else if (column === undefined) this.#unknown(resource, key, at)
      else columns[key] = this.#read(column.type, input, at)
    }
    this.#drafts.set(name, { name, resource, path, columns, related })
  }

  /** A value; in place of one that is none, any of the type, so that it is one mistake and not two. */
  #read(type: Type, input: unknown, path: Path): JsonValue {
    const value = readValue(this.#reader, type, input, path)
    return value === undefined ? jsonValue(type, anyValue(type, false)) : value
  }

  #unknown(resource: Resource, key: string, path: Path): void {
    const known = [...resource.columns, ...resource.relations].map(({ name }) => name)
    const message = `${resource.name} has no column or relation \`${key}\``
    mistake(this.#reader, 'TWR_TEST_NAME', path, message, suggest(key, known, 'declared'))
  }

  /** All rows, complete. */
  finish(): {
    readonly rows: readonly Row[]
    readonly plain: readonly PlainRow[]
    readonly direct: Rows['direct']
  } {
    // related rows that stand inline are rows too, and may have related rows of their own
    for (const draft of this.#drafts.values()) for (const one of draft.related) this.#place(draft, one)
    const read = readColumns(this.#reader.bundle)
    const rows = [...this.#drafts.values()].map(draft => this.#complete(draft, read))
    return { rows, plain: this.#plain, direct: this.direct }
  }

  /** Related rows of types without a table, which nothing can join: by `row relation`. */
  get direct(): ReadonlyMap<string, readonly JsonRow[]> {
    return this.#direct
  }

  #place(draft: Draft, { relation, value, path }: Draft['related'][number]): void {
    const target = targetOf(this.#reader.bundle, relation)
    for (const one of value === null ? [] : listOf(value, path)) {
      if (typeof one.value === 'string') this.#placeNamed(draft, relation, target, one.value, one.path)
      else if (target !== undefined) this.#placeRow(draft, relation, target, one.value, one.path)
      else this.#placePlain(draft, relation, one.value, one.path)
    }
  }

  #placeNamed(
    draft: Draft,
    relation: Relation,
    target: Resource | undefined,
    name: string,
    path: Path
  ): void {
    const other = this.#drafts.get(name)
    if (target === undefined || relation.cardinality === 'many') {
      const hint =
        target === undefined
          ? `write its columns here: ${relation.columns.map(column => column.name).join(', ')}`
          : `a ${target.name} belongs to the row that its \`${relation.remote}\` names`
      mistake(this.#reader, 'TWR_TEST_VALUE', path, `a row of \`${relation.name}\` is not named here`, hint)
    } else if (other === undefined || other.resource !== target) this.#reader.names.unknown(name, 'row', path)
    else draft.columns[relation.local] = other.columns[relation.remote] ?? null
  }

  #placeRow(draft: Draft, relation: Relation, target: Resource, value: unknown, path: Path): void {
    const name = path.join('.')
    this.add(target, name, value, path)
    const made = this.#drafts.get(name)
    const local = draft.columns[relation.local] ?? null
    if (made === undefined) return
    if (local === null) draft.columns[relation.local] = made.columns[relation.remote] ?? null
    else made.columns[relation.remote] = local
  }

  #placePlain(draft: Draft, relation: Relation, value: unknown, path: Path): void {
    const columns: Record<string, JsonValue> = {}
    for (const [key, input] of entriesOf(value)) {
      const column = relation.columns.find(one => one.name === key)
      const at = [...path, key]
      if (column === undefined) {
        const known = relation.columns.map(({ name }) => name)
        const message = `${relation.name} has no column \`${key}\``
        mistake(this.#reader, 'TWR_TEST_NAME', at, message, suggest(key, known, 'declared'))
      } else columns[key] = this.#read(column.type, input, at)
    }
    columns[relation.remote] = draft.columns[relation.local] ?? null
    const whole = this.#filled(relation.columns, columns, path, () => true)
    if (relation.table !== null) this.#plain.push({ table: relation.table, columns: whole })
    else {
      const key = `${draft.name} ${relation.name}`
      this.#direct.set(key, [...(this.#direct.get(key) ?? []), whole])
    }
  }

  #complete({ name, resource, columns, path }: Draft, read: ReadonlySet<string>): Row {
    const whole = this.#filled(resource.columns, columns, path, column =>
      read.has(`${resource.table ?? resource.name} ${column}`)
    )
    return { name, resource, id: String(whole['id'] ?? name), columns: whole, path }
  }

  /** Every column: one that is not stated is null where it may be, and any value where no rule reads it. */
  #filled(
    declared: readonly Column[],
    stated: JsonRow,
    path: Path,
    isRead: (column: string) => boolean
  ): JsonRow {
    return Object.fromEntries(
      declared.map(({ name, type, nullable }) => {
        const value = stated[name] ?? null
        if (value !== null || nullable) return [name, value]
        if (isRead(name)) {
          const hint = 'state it, or give it to all rows of the type under `defaults`'
          mistake(this.#reader, 'TWR_TEST_VALUE', path, `\`${name}\` is missing, and rules read it`, hint)
        }
        return [name, jsonValue(type, anyValue(type, false))]
      })
    )
  }
}

/** The resource to which a relation leads; undefined for a plain table, and for a type without a table. */
export function targetOf(bundle: Bundle, { table, readable }: Relation): Resource | undefined {
  if (table === null || readable === null) return undefined
  return bundle.resources.find(resource => resource.table === table)
}

/** The columns that some rule reads, with their table. */
function readColumns({ resources }: Bundle): ReadonlySet<string> {
  return new Set(
    resources.flatMap(({ name, table, rules, columnRules }) => {
      const conditions = [
        ...rules.flatMap(({ when, check }) => [when, check]),
        ...columnRules.map(({ when }) => when)
      ]
      return conditions
        .flatMap(comparisonsOf)
        .flatMap(({ terms }) => terms)
        .flatMap(term => {
          if (term.kind === 'column') return [`${table ?? name} ${term.name}`]
          return term.kind === 'related' ? [`${term.relation.table} ${term.name}`] : []
        })
    })
  )
}
