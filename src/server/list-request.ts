import type { ListQuery } from '../db/list-query.js'
import { suggest } from '../errors/suggest.js'
import { canonicalUuid } from '../ir/uuid.js'
import type { Members } from './schemas.js'
import { checkName, invalid, missing, objectAt } from './validation.js'

/** A request for a list. */
export interface ListRequest {
  readonly subject: { readonly type: string; readonly id: string }
  /** A uuid in lower case. */
  readonly tenantId: string
  readonly query: ListQuery
}

const MEMBERS = ['subject', 'resource', 'filter', 'sort', 'size', 'cursor', 'count']
const FILTER_MEMBERS = ['column', 'op', 'value']
const SORT_MEMBERS = ['column', 'direction']

/**
 * The body as a request for a list. Whether its names are declared and its values are of their types is asked when the
 * statement is made.
 *
 * @throws InvalidBody with the path of the first mistake
 */
export function readListRequest(body: unknown): ListRequest {
  const members = objectAt(body, '')
  // a misspelt filter that is passed over would show more than was asked for
  refuseOthers(members, '', MEMBERS)
  const { subject, resource, filter, sort, size, cursor, count } = members
  if (subject === undefined) throw missing('/subject')
  if (resource === undefined) throw missing('/resource')
  const { type } = objectAt(resource, '/resource')
  if (type === undefined) throw missing('/resource/type')
  const query = {
    type: checkName(type, '/resource', 'type'),
    ...(filter === undefined ? {} : { filter: itemsAt(filter, '/filter').map(readFilter) }),
    ...(sort === undefined ? {} : { sort: itemsAt(sort, '/sort').map(readSort) }),
    ...(size === undefined ? {} : { size: ofType(size, '/size', 'number') }),
    ...(cursor === undefined ? {} : { cursor: ofType(cursor, '/cursor', 'string') }),
    ...(count === undefined ? {} : { count: ofType(count, '/count', 'boolean') })
  }
  return { ...readSubject(subject), query }
}

function readSubject(subject: unknown): Pick<ListRequest, 'subject' | 'tenantId'> {
  const { type, id, properties } = objectAt(subject, '/subject')
  if (type === undefined) throw missing('/subject/type')
  if (id === undefined) throw missing('/subject/id')
  const known = { type: checkName(type, '/subject', 'type'), id: checkName(id, '/subject', 'id') }
  const at = '/subject/properties/tenant_id'
  const tenant =
    properties === undefined ? undefined : objectAt(properties, '/subject/properties')['tenant_id']
  if (tenant === undefined) throw missing(at, 'a list is of one tenant, so say in which one the subject acts')
  const tenantId = canonicalUuid(ofType(tenant, at, 'string'))
  if (tenantId === null) throw invalid(at, 'must be a uuid')
  return { subject: known, tenantId }
}

function readFilter(item: unknown, i: number): NonNullable<ListQuery['filter']>[number] {
  const at = `/filter/${i}`
  const members = objectAt(item, at)
  refuseOthers(members, at, FILTER_MEMBERS)
  const { column, op, value } = members
  if (column === undefined) throw missing(`${at}/column`)
  if (op === undefined) throw missing(`${at}/op`)
  if (value === undefined) throw missing(`${at}/value`)
  return { column: checkName(column, at, 'column'), op: checkName(op, at, 'op'), value }
}

function readSort(item: unknown, i: number): NonNullable<ListQuery['sort']>[number] {
  const at = `/sort/${i}`
  const members = objectAt(item, at)
  refuseOthers(members, at, SORT_MEMBERS)
  const { column, direction = 'asc' } = members
  if (column === undefined) throw missing(`${at}/column`)
  if (direction !== 'asc' && direction !== 'desc') throw invalid(`${at}/direction`, 'must be asc or desc')
  return { column: checkName(column, at, 'column'), direction }
}

function itemsAt(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(at, 'must be an array')
  return value
}

interface Primitives {
  readonly string: string
  readonly number: number
  readonly boolean: boolean
}

function ofType<Name extends keyof Primitives>(value: unknown, at: string, type: Name): Primitives[Name] {
  if (typeof value !== type) throw invalid(at, `must be a ${type}`)
  return value as Primitives[Name]
}

function refuseOthers(members: Members, at: string, known: readonly string[]): void {
  const other = Object.keys(members).find(name => !known.includes(name))
  if (other !== undefined)
    throw invalid(`${at}/${other}`, 'is no member of a list', suggest(other, known, 'the members'))
}
