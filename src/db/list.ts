import { createHash } from 'node:crypto'
import type { CustomTypesConfig } from 'pg'
import { listStatement } from '../backends/sql/list.js'
import { listedAs } from '../backends/sql/lister.js'
import { roleViews } from '../backends/sql/policies.js'
import { ConfigError, DatabaseError, InternalError } from '../errors/errors.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import type { Bundle } from '../ir/model.js'
import type { Column } from '../ir/types.js'
import { canonical } from '../ir/values.js'
import { exactTypes } from './exact-types.js'
import { databaseFault, LISTS } from './fault.js'
import { badCursor, cursorOf, type Place, placeOf } from './list-cursor.js'
import { type CheckedQuery, checkQuery, type ListQuery, type Parameter } from './list-query.js'

/** A page of a list. */
export interface ListPage {
  /** The declared columns of each row, as `resource.properties` takes them. */
  readonly rows: readonly Readonly<Record<string, JsonValue>>[]
  /** With which the next page is asked for; null when this is the last one. */
  readonly cursor: string | null
  /** How many rows pass the filter, on all pages, if that was asked. */
  readonly count?: number
}

/** How a list is asked for, beside what it is. */
export interface ListOptions {
  /** The role flag whose role the transaction has entered; without one, it is in the role of applications. */
  readonly entered?: string
  /** False for a pooler that does not keep prepared statements apart. */
  readonly prepared?: boolean
}

/** One statement with values, as `pg` runs it. */
export interface ListStatement {
  readonly name?: string
  readonly text: string
  readonly values: readonly Parameter[]
  readonly rowMode: 'array'
  readonly types: CustomTypesConfig
}

/** A statement, and what its answer means. */
export interface PlannedList {
  /** Null when nobody in this role may read such a row. */
  readonly statement: ListStatement | null
  /**
   * What enters, until the transaction ends, the role whose policies are made for lists: to be run before the statement.
   * The statement shows the same rows without it, more slowly. Null for a role flag's role, which has no such.
   */
  readonly enter: string | null
  readonly page: (rows: readonly (readonly unknown[])[]) => ListPage
}

/** What runs a statement: a client of `pg` in a transaction whose context is set. */
export interface ListClient {
  query(text: string): Promise<unknown>
  query(statement: ListStatement): Promise<{ readonly rows: readonly (readonly unknown[])[] }>
}

/**
 * The rows of a resource type that may be read, page by page: those that row-level security shows to the transaction's
 * user. One statement, in which each allow rule finds its rows by its own index.
 *
 * @throws RequestError TWR_REQUEST_LIST or TWR_REQUEST_CURSOR for a query that is none; DatabaseError
 */
export async function listResources(
  client: ListClient,
  bundle: Bundle,
  query: ListQuery,
  options: ListOptions = {}
): Promise<ListPage> {
  const { statement, enter, page } = planList(bundle, query, options)
  if (statement === null) return page([])
  try {
    const { rows } = await entering(client, enter, () => client.query(statement))
    return page(rows)
  } catch (cause) {
    throw listFault(cause, query)
  }
}

/**
 * Does work in another role. Going back to a savepoint gives the transaction the role again that it was in, whichever
 * that was; work that fails leaves a transaction that can only be rolled back, as it would without.
 */
async function entering<T>(client: ListClient, enter: string | null, work: () => Promise<T>): Promise<T> {
  if (enter === null) return work()
  await client.query(`SAVEPOINT twinrule_list; ${enter}`)
  const done = await work()
  await client.query('ROLLBACK TO SAVEPOINT twinrule_list; RELEASE SAVEPOINT twinrule_list')
  return done
}

/** The statement of a list, for those who run it with others in one round trip. @throws RequestError */
export function planList(bundle: Bundle, query: ListQuery, options: ListOptions = {}): PlannedList {
  const { entered, prepared = true } = options
  const view = roleViews(bundle).find(({ flag }) => flag === (entered ?? null))
  if (view === undefined) {
    throw new ConfigError('TWR_CONFIG', `the policy has no role flag ${String(entered)} with a role`)
  }
  const lister = listedAs(view)
  const checked = checkQuery(bundle, query)
  const { resource, keys, tests, size } = checked
  const list = identityOf(checked)
  const place = query.cursor === undefined ? null : placeOf(list, query.cursor, keys.length)
  const count = query.count === true
  const after = place === null ? null : place.map(value => value === null)
  const text = listStatement({ resource, view, keys, tests, after, limit: size + 1, count })
  return {
    enter: lister.flag === null ? `SET LOCAL ROLE ${lister.role}` : null,
    statement: text === null ? null : statementOf(String(text), checked.values, place, prepared),
    page: rows => pageOf(rows, checked, { list, count })
  }
}

function statementOf(
  text: string,
  values: readonly Parameter[],
  place: Place | null,
  prepared: boolean
): ListStatement {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 24)
  return {
    ...(prepared ? { name: `twinrule_list_${digest}` } : {}),
    text,
    values: [...values, ...(place ?? []).filter(value => value !== null)],
    rowMode: 'array',
    types: exactTypes
  }
}

/** What makes two lists the same one, so that a cursor of the one is one of the other. */
function identityOf({ resource, keys, tests, values }: CheckedQuery): string {
  return JSON.stringify([
    resource.name,
    keys.map(({ column, descending }) => [column.name, descending]),
    tests.map(({ column, operator, isNull }) => [column.name, operator, isNull]),
    values
  ])
}

interface Paging {
  readonly list: string
  readonly count: boolean
}

function pageOf(
  rows: readonly (readonly unknown[])[],
  { resource, keys, size }: CheckedQuery,
  { list, count }: Paging
): ListPage {
  const { columns } = resource
  const at = count ? 1 : 0
  const key = at + columns.findIndex(({ name }) => name === 'id')
  // a count comes with a row of its own where the page has none
  const found = rows.filter(row => row[key] !== null)
  const shown = found.slice(0, size).map(row => rowOf(columns, row.slice(at)))
  const last = found.length > size ? shown.at(-1) : undefined
  const place = keys.map(({ column }) => textOrNull(last?.[column.name]))
  return {
    rows: shown,
    cursor: last === undefined ? null : cursorOf(list, place),
    ...(count ? { count: Number(rows[0]?.[0] ?? 0) } : {})
  }
}

function rowOf(columns: readonly Column[], values: readonly unknown[]): Readonly<Record<string, JsonValue>> {
  return Object.fromEntries(
    columns.map(({ name, type }, i) => {
      const known = canonical(type, values[i])
      // what is not of its declared type is shown as it is stored
      return [name, known.ok ? jsonValue(type, known.value) : (values[i] as JsonValue)]
    })
  )
}

function textOrNull(value: JsonValue | undefined): string | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'object') throw new InternalError('a list sorted by a set')
  return String(value)
}

/** What a failure of the statement of a list is to whoever asked for it. */
export function listFault(cause: unknown, { cursor }: ListQuery): Error {
  if (cause instanceof DatabaseError) return cause
  return isBadValue(cause) && cursor !== undefined ? badCursor() : databaseFault(cause, LISTS)
}

/** Whether a parameter was refused: class 22, data exception (manual, appendix A). */
function isBadValue(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && /^22/.test(String(cause.code))
}
