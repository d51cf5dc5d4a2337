import type { Facts, FactsQuery, PrincipalFacts } from '../db/facts.js'
import { DatabaseError, TwinruleError } from '../errors/errors.js'
import type { Resource } from '../ir/model.js'
import { canonicalUuid } from '../ir/uuid.js'
import { rowKey } from './facts-needed.js'
import type { FactsRead } from './shared-facts.js'

const STATUSES: ReadonlySet<unknown> = new Set([
  'member',
  'unknown_subject',
  'no_tenant',
  'several_tenants',
  'not_a_member'
] satisfies PrincipalFacts['status'][])

/** Of which policy facts are read, and how long to wait for them. */
export interface ReadOptions {
  readonly revision: string
  readonly resources: ReadonlyMap<string, Resource>
  /** Longest wait in milliseconds, pool and network included. */
  readonly timeoutMs: number
}

/**
 * One read of the facts that ends in time and is what was asked for.
 *
 * @throws DatabaseError or another TwinruleError; never anything that could be taken for an answer
 */
export async function readFacts(
  reader: FactsRead,
  query: FactsQuery,
  { revision, resources, timeoutMs }: ReadOptions
): Promise<Facts> {
  if (query.subjects.length === 0 && query.resources.length === 0) return { principals: [], rows: [] }
  const facts: unknown = await bounded(() => reader.read(query, revision), timeoutMs)
  if (!answers(query, resources, facts))
    throw new DatabaseError('TWR_DB_FAULT', 'the facts are not those that were asked for')
  return facts
}

/**
 * Waits for work on the database, and no longer than `timeoutMs` milliseconds: a pool that hangs must not hang callers.
 *
 * @throws DatabaseError `TWR_DB_FAULT` when the time is over or the work failed with an error of somebody else
 */
export async function bounded<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DatabaseError('TWR_DB_FAULT', `the database did not answer within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  try {
    return await Promise.race([work(), timeout])
  } catch (error) {
    if (error instanceof TwinruleError) throw error
    throw new DatabaseError('TWR_DB_FAULT', 'the database could not be asked', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

/** safety: facts of another subject or row, or too few of them, must not decide anything. */
function answers(query: FactsQuery, resources: ReadOptions['resources'], facts: unknown): facts is Facts {
  if (!isRecord(facts)) return false
  const { principals, rows } = facts
  if (!Array.isArray(principals) || principals.length !== query.subjects.length) return false
  if (!Array.isArray(rows) || rows.length !== query.resources.length) return false
  return (
    query.subjects.every((subject, i) => describes(subject, principals[i])) &&
    query.resources.every(({ type, id }, i) => {
      const row: unknown = rows[i]
      return row === null || (isRecord(row) && rowKey(resources.get(type), row['id']) === id)
    })
  )
}

function describes({ id, tenantId }: FactsQuery['subjects'][number], facts: unknown): boolean {
  if (!isRecord(facts) || !STATUSES.has(facts['status'])) return false
  if (facts['status'] !== 'member') return true
  const { principal } = facts
  if (!isRecord(principal) || !agrees(principal['id'], id)) return false
  return tenantId === null || agrees(principal['tenant_id'], tenantId)
}

/** A policy may leave the tenant undeclared, and then it is not among the facts. */
function agrees(found: unknown, asked: string): boolean {
  return found === undefined || (typeof found === 'string' && canonicalUuid(found) === asked)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
