import type pg from 'pg'
import { ROLES } from '../../src/backends/sql/names.js'
import { type Statement, run as send } from '../../src/client/statement-group.js'
import { contextStatement } from '../../src/client/tenant-pool.js'
import {
  type Case,
  FIRST,
  found,
  handStatement,
  JOIN,
  keysOf,
  OWN,
  READABLE,
  type Run,
  SPARE,
  type Stage,
  type Who
} from './cases.js'
import { ASKED, type Asked, tenantId, userId } from './data.js'

/** A statement in every design, and the same by hand. */
interface Subject {
  readonly name: string
  readonly ours: string
  readonly byHand: string
  /** The values of the n-th run, for each side its own, so that neither waits for the other's locks; none for a page. */
  readonly values: Record<'ours' | 'byHand', (n: number) => readonly unknown[]> | null
  /** What has to be in place before the runs from one number to another. */
  readonly before?: (from: number, to: number) => Promise<unknown>
}

/** Who is connected, and what is sent for one run. */
interface Connected {
  readonly client: pg.PoolClient
  readonly context: () => Statement
  readonly statement: (n: number) => Statement
}
type Design = (connected: Connected, n: number) => Promise<pg.QueryResult>

const [BEGIN, COMMIT, ROLLBACK] = ['BEGIN', 'COMMIT', 'ROLLBACK'].map(text => ({ text, isPrepared: true }))
const LISTER = { text: `SET LOCAL ROLE ${ROLES.lister}`, isPrepared: true }

/** One message, as `tenantQuery` sends it. */
const together: Design = async ({ client, context, statement }, n) =>
  at(2, await sent(client, [BEGIN, context(), statement(n), COMMIT]))
/** The transaction is that of the message, which begins and ends it by itself. */
const implicit: Design = async ({ client, context, statement }, n) =>
  at(1, await sent(client, [context(), statement(n)]))
/** As most people write it: four round trips. */
const apart: Design = async ({ client, context, statement }, n) => {
  await sent(client, [BEGIN])
  await sent(client, [context()])
  const [result] = await sent(client, [statement(n)])
  await sent(client, [COMMIT])
  return at(0, result === undefined ? [] : [result])
}
/** One more statement of a transaction whose context is open, as inside of `withTenant`. */
const further: Design = async ({ client, statement }, n) => at(0, await sent(client, [statement(n)]))
/** In the role for lists, whose policies are the guard alone. */
const guarded: Design = async ({ client, context, statement }, n) =>
  at(3, await sent(client, [BEGIN, context(), LISTER, statement(n), COMMIT]))

async function sent(
  client: pg.PoolClient,
  statements: readonly (Statement | undefined)[]
): Promise<readonly pg.QueryResult[]> {
  const outcome = await send(
    client,
    statements.flatMap(one => one ?? [])
  )
  if (outcome.error !== undefined) throw outcome.error
  return outcome.results
}

function at(i: number, results: readonly pg.QueryResult[]): pg.QueryResult {
  const result = results[i]
  if (result === undefined) throw new Error('the group has too few results')
  return result
}

/** The statements of a tenant that cost most beside those by hand, in each design that was thought of. */
export async function designsOf(stage: Stage, tenant: Asked): Promise<readonly Case[]> {
  const who = { ...stage, tenant, id: tenantId(ASKED[tenant]) }
  const ids = async (which: string) =>
    keysOf(stage.byHand, `SELECT id FROM notes WHERE ${which} ORDER BY md5(id::text) LIMIT 500`, [who.id])
  const [seen, own] = [await ids(READABLE()), await ids(OWN)]
  const half = own.length >> 1
  const of = (ids: readonly string[]) => (n: number) => [ids[n % ids.length]]
  const point = {
    name: 'point',
    ours: 'SELECT id, title FROM notes WHERE id = $1',
    byHand: `SELECT id, title FROM notes WHERE id = $2 AND ${READABLE()}`,
    values: { ours: of(seen), byHand: of(seen) }
  } as const
  const update = {
    name: 'update',
    ours: `UPDATE notes SET title = 'changed' WHERE id = $1`,
    byHand: `UPDATE notes SET title = 'changed' WHERE id = $2 AND ${OWN}`,
    values: { ours: of(own.slice(half)), byHand: of(own.slice(0, half)) }
  } as const
  const spare = (side: string) => (n: number) => [`spare ${side} ${tenant} ${n}`]
  const remove = {
    name: 'delete',
    ours: 'DELETE FROM notes WHERE id = md5($1)::uuid',
    byHand: 'DELETE FROM notes WHERE id = md5($2)::uuid AND tenant_id = $1',
    values: { ours: spare('ours'), byHand: spare('byHand') },
    before: (from: number, to: number) => stage.byHand.query(SPARE, [who.id, tenant, from, to])
  } as const
  return [
    ...everyWay(who, point),
    inDesign(who, point, 'in the role for lists', guarded),
    ...(half > 0 ? everyWay(who, update) : []),
    ...everyWay(who, remove),
    ...joins(who)
  ]
}

function everyWay(who: Who, subject: Subject): readonly Case[] {
  return [
    inDesign(who, subject, 'one message', together),
    inDesign(who, subject, 'without BEGIN and COMMIT', implicit),
    inDesign(who, subject, 'four messages', apart),
    inDesign(who, subject, 'in an open context', further, true)
  ]
}

const byHandJoin = `SELECT c.id ${JOIN} WHERE c.tenant_id = $1 AND ${READABLE('n.')} ${FIRST}`

/** A page of a join of two protected tables. */
function joins(who: Who): readonly Case[] {
  const join = (ours: string): Subject => ({ name: 'join', ours, byHand: byHandJoin, values: null })
  const plain = join(`SELECT c.id ${JOIN} ${FIRST}`)
  const lateral = `FROM comments c CROSS JOIN LATERAL (SELECT FROM notes n WHERE n.id = c.note_id OFFSET 0) n`
  const exists = `FROM comments c WHERE EXISTS (SELECT FROM notes n WHERE n.id = c.note_id OFFSET 0)`
  const named = `FROM comments c JOIN notes n ON n.id = c.note_id WHERE c.tenant_id = '${who.id}'`
  return [
    inDesign(who, plain, 'as it is written', together),
    inDesign(who, plain, 'in the role for lists', guarded),
    inDesign(who, join(`SELECT c.id ${lateral} ${FIRST}`), 'LATERAL with OFFSET 0', together),
    inDesign(who, join(`SELECT c.id ${exists} ${FIRST}`), 'EXISTS with OFFSET 0', together),
    inDesign(who, join(`SELECT c.id ${named} ${FIRST}`), 'with the tenant named', together)
  ]
}

function inDesign(who: Who, subject: Subject, how: string, design: Design, isOpen = false): Case {
  const { tenants, tenant, byHand } = who
  const principal = { userId: userId(ASKED[tenant]), tenantId: who.id }
  const context = () => contextStatement(tenants, principal)
  const statement = (n: number): Statement => ({
    text: subject.ours,
    values: subject.values?.ours(n) ?? [],
    isPrepared: true,
    hasRows: true,
    rowMode: 'array'
  })
  const ours: Run = async n => {
    const client = await tenants.pool.connect()
    try {
      return found((await design({ client, context, statement }, n)) as unknown as pg.QueryArrayResult)
    } finally {
      client.release()
    }
  }
  const hand = handStatement({ ...who, byHand }, subject.name, subject.byHand, n => [
    who.id,
    ...(subject.values?.byHand(n) ?? [])
  ])
  return {
    name: `${subject.name}, ${how}`,
    tenant,
    ours,
    byHand: hand,
    async before(from, to) {
      await openContext(tenants.pool, null)
      await subject.before?.(from, to)
      if (isOpen) await openContext(tenants.pool, context())
    }
  }
}

/** Ends what the last case left open, and opens a context if the next one is inside of it. The pool has one connection. */
async function openContext(pool: pg.Pool, context: Statement | null): Promise<void> {
  const client = await pool.connect()
  try {
    await sent(client, [ROLLBACK])
    if (context !== null) {
      await sent(client, [BEGIN])
      await sent(client, [context])
    }
  } finally {
    client.release()
  }
}
