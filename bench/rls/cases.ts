import type pg from 'pg'
import { tenantList } from '../../src/client/tenant-list.js'
import { type TenantPool, tenantQuery } from '../../src/client.js'
import { planList } from '../../src/db/list.js'
import { type Bundle, resourceOf } from '../../src/ir/model.js'
import { ASKED, type Asked, tenantId, userId, WIDTHS } from './data.js'

/** Does the n-th piece of work and says which rows it found. */
export type Run = (n: number) => Promise<readonly string[]>

/** One piece of work as a tenant, through twinrule and by hand. */
export interface Case {
  readonly name: string
  readonly tenant: Asked
  readonly ours: Run
  readonly byHand: Run
  /** What has to be in place before the runs from one number to another, and is not timed. */
  readonly before?: (from: number, to: number) => Promise<unknown>
  /** Why it changes rows: both sides then find one row each, and not the same. */
  readonly writes?: true
}

/** What the cases run on. */
export interface Stage {
  readonly tenants: TenantPool
  /** Of a role without row-level security, for what is written by hand. */
  readonly byHand: pg.Pool
  readonly bundle: Bundle
}

/** A tenant that is asked for, and on what. */
export interface Who extends Stage {
  readonly tenant: Asked
  readonly id: string
}

const ROWS = 50
export const OWN = 'tenant_id = $1'
/** What the rules of a note say, by hand. */
export const READABLE = (of = '') =>
  `(${of}tenant_id = $1 OR ${of}mode = 'global' OR (${of}mode = 'selective' AND ${of}shared_with @> ARRAY[$1]::uuid[]))`
const NOTE = 'id, tenant_id, created_at, mode, shared_with, title'
/** The last one walks the index of the sort: with `@>` the GIN index finds all rows, which are then sorted. */
const NOTE_ARMS = [OWN, `mode = 'global'`, `mode = 'selective' AND $1 = ANY (shared_with)`]
const SHARED = 'id = ANY (ARRAY(SELECT paper_id FROM paper_shares WHERE tenant_id = $1))'

/** All cases of a tenant. */
export async function casesOf(stage: Stage, tenant: Asked): Promise<readonly Case[]> {
  const who = { ...stage, tenant, id: tenantId(ASKED[tenant]) }
  const seen = await keysOf(
    stage.byHand,
    `SELECT id FROM notes WHERE ${READABLE()} ORDER BY md5(id::text) LIMIT 500`,
    [who.id]
  )
  const own = await keysOf(
    stage.byHand,
    `SELECT id FROM notes WHERE ${OWN} ORDER BY md5(id::text) LIMIT 500`,
    [who.id]
  )
  const of = (ids: readonly string[]) => (n: number) => ids[n % ids.length]
  return [
    pair(
      who,
      'point',
      'SELECT id, title FROM notes WHERE id = $1',
      `SELECT id, title FROM notes WHERE id = $2 AND ${READABLE()}`,
      of(seen)
    ),
    ...(await lists(who, 'note', NOTE, NOTE_ARMS, 'list of arrays')),
    ...(await lists(who, 'paper', 'id, tenant_id, created_at', [OWN, SHARED], 'list of shares')),
    pair(who, 'count', 'SELECT count(*) FROM notes', `SELECT count(*) FROM notes WHERE ${READABLE()}`),
    pair(
      who,
      'join',
      `SELECT c.id ${JOIN} ${FIRST}`,
      `SELECT c.id ${JOIN} WHERE c.tenant_id = $1 AND ${READABLE('n.')} ${FIRST}`
    ),
    ...writes(who, of(own)),
    ...(tenant === 'middle' ? wide(who) : [])
  ]
}

export const JOIN = 'FROM comments c JOIN notes n ON n.id = c.note_id'
export const FIRST = `ORDER BY c.created_at, c.id LIMIT ${ROWS}`

/** The first column, as text. */
export async function keysOf(
  pool: pg.Pool,
  text: string,
  values: readonly unknown[]
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(text, [...values])
  return rows.map(({ id }) => id)
}

type Argument = (n: number) => unknown

/** The same statement twice: ours without the tenant, by hand with it as the first parameter. */
function pair(who: Who, name: string, ours: string, byHand: string, argument?: Argument): Case {
  const more = (n: number) => (argument === undefined ? [] : [argument(n)])
  return {
    name,
    tenant: who.tenant,
    ours: statement(who, name, ours, more),
    byHand: handStatement(who, name, byHand, n => [who.id, ...more(n)])
  }
}

function statement(
  { tenants, tenant }: Who,
  name: string,
  text: string,
  values: (n: number) => readonly unknown[]
): Run {
  const principal = { userId: userId(ASKED[tenant]), tenantId: tenantId(ASKED[tenant]) }
  return async n => {
    const query = { name, text, values: [...values(n)], rowMode: 'array' as const }
    return found(await tenantQuery(tenants, principal, query))
  }
}

/** A prepared statement by hand. */
export function handStatement(
  { byHand }: Who,
  name: string,
  text: string,
  values: (n: number) => readonly unknown[]
): Run {
  return async n => found(await byHand.query({ name, text, values: [...values(n)], rowMode: 'array' }))
}

/** The first column of each row; of a statement that shows none, how many it changed. */
export function found({ rows, rowCount }: pg.QueryArrayResult): readonly string[] {
  return rows.length > 0 ? rows.map(row => String(row[0])) : [`${rowCount} rows`]
}

/** The first page of a list and one from the middle of it, sorted by when a row was made. */
async function lists(
  who: Who,
  type: string,
  columns: string,
  arms: readonly string[],
  name: string
): Promise<readonly Case[]> {
  const table = `${type}s`
  const query = { type, sort: [{ column: 'created_at' }], size: ROWS }
  const all = arms.map(arm => `(${arm})`).join(' OR ')
  const middle = `SELECT ${columns}, created_at::text AS place FROM ${table} WHERE ${all} ORDER BY created_at, id
    OFFSET (SELECT count(*) / 2 FROM ${table} WHERE ${all}) LIMIT 1`
  const { rows } = await who.byHand.query(middle, [who.id])
  const known = { ...rows[0], created_at: rows[0]?.place }
  const row = (resourceOf(who.bundle, type)?.columns ?? []).map(column => known[column.name])
  // two rows on a page of one, so there is a cursor
  const cursor = planList(who.bundle, { ...query, size: 1 }).page([row, row]).cursor ?? ''
  const statementOf = (after: string) => {
    const selects = arms.map(
      arm =>
        `(SELECT ${columns} FROM ${table} WHERE ${arm}${after} ORDER BY created_at, id LIMIT ${ROWS + 1})`
    )
    return `SELECT DISTINCT ON (created_at, id) ${columns} FROM (${selects.join(' UNION ALL ')}) AS arms
      ORDER BY created_at, id LIMIT ${ROWS + 1}`
  }
  const place = [rows[0]?.place, rows[0]?.id]
  const deep = statementOf(' AND (created_at, id) > ($2::timestamptz, $3::uuid)')
  const first = { name: `${name}, first`, byHand: handPage(who, `${name}, first`, statementOf(''), []) }
  const further = { name: `${name}, deep`, byHand: handPage(who, `${name}, deep`, deep, place) }
  return [
    { ...first, tenant: who.tenant, ours: page(who, query) },
    { ...further, tenant: who.tenant, ours: page(who, { ...query, cursor }) }
  ]
}

function page({ tenants, tenant, bundle }: Who, query: Parameters<typeof planList>[1]): Run {
  const principal = { userId: userId(ASKED[tenant]), tenantId: tenantId(ASKED[tenant]) }
  return async () => {
    const { rows } = await tenantList(tenants, principal, bundle, query)
    return rows.map(row => String(row['id']))
  }
}

function handPage(who: Who, name: string, text: string, place: readonly unknown[]): Run {
  const run = handStatement(who, name, text, () => [who.id, ...place])
  return async n => (await run(n)).slice(0, ROWS)
}

/** Rows of a tenant ($1, $2: its name) to be deleted, from $3 to $4 for each side. */
export const SPARE = `INSERT INTO notes
  SELECT md5('spare ' || side || ' ' || $2 || ' ' || n)::uuid, $1, '2025-01-01Z', 'private', '{}', 'spare'
  FROM unnest(ARRAY['ours', 'byHand']) AS side, generate_series($3::integer, $4::integer) AS n
  ON CONFLICT DO NOTHING`

function writes(who: Who, own: Argument): readonly Case[] {
  const insert = (id: string) => `INSERT INTO notes (id, tenant_id, created_at, mode, shared_with, title)
    VALUES (gen_random_uuid(), ${id}, '2025-01-01Z', 'private', '{}', 'new')`
  const spare = (side: string) => (n: number) => [`spare ${side} ${who.tenant} ${n}`]
  const gone = 'id = md5($1)::uuid'
  return [
    pair(
      who,
      'update',
      `UPDATE notes SET title = 'changed' WHERE id = $1`,
      `UPDATE notes SET title = 'changed' WHERE id = $2 AND ${OWN}`,
      own
    ),
    {
      name: 'insert',
      tenant: who.tenant,
      ours: statement(who, 'insert', insert('$1'), () => [who.id]),
      byHand: handStatement(who, 'insert', insert('$1'), () => [who.id]),
      before: () =>
        who.byHand.query("DELETE FROM notes WHERE created_at = '2025-01-01Z' AND tenant_id = $1", [who.id])
    },
    {
      name: 'delete',
      tenant: who.tenant,
      ours: statement(who, 'delete', `DELETE FROM notes WHERE ${gone}`, spare('ours')),
      byHand: handStatement(who, 'delete', `DELETE FROM notes WHERE ${gone} AND tenant_id = $2`, n => [
        ...spare('byHand')(n),
        who.id
      ]),
      before: (from, to) => who.byHand.query(SPARE, [who.id, who.tenant, from, to])
    }
  ]
}

/** A row that many tenants may read, of whom this one is asked for. */
function wide(who: Who): readonly Case[] {
  return WIDTHS.flatMap(width => [
    pair(
      who,
      `point, array of ${width}`,
      `SELECT title FROM notes WHERE id = md5($1)::uuid`,
      `SELECT title FROM notes WHERE id = md5($2)::uuid AND ${READABLE()}`,
      () => `wide${width}`
    ),
    pair(
      who,
      `point, ${width} shares`,
      `SELECT id FROM papers WHERE id = md5($1)::uuid`,
      `SELECT id FROM papers WHERE id = md5($2)::uuid AND (${OWN} OR ${SHARED_ONE})`,
      () => `wide${width}`
    )
  ])
}

const SHARED_ONE = 'EXISTS (SELECT FROM paper_shares s WHERE s.paper_id = papers.id AND s.tenant_id = $1)'
