import type { Pool } from 'pg'
import { DatabaseError } from '../errors/errors.js'
import { databaseFault } from './fault.js'

/** A principal as the database knows it, or why there is none. */
export type PrincipalFacts =
  | { readonly status: 'member'; readonly principal: Readonly<Record<string, unknown>> }
  | { readonly status: 'unknown_subject' | 'no_tenant' | 'several_tenants' | 'not_a_member' }

/** What a batch of decisions needs to know. `tenantId` null means the subject's only or default tenant. */
export interface FactsQuery {
  readonly subjects: readonly { readonly id: string; readonly tenantId: string | null }[]
  readonly resources: readonly { readonly type: string; readonly id: string }[]
}

/** The facts in the order asked: a principal for each subject, a row (or null) for each resource. */
export interface Facts {
  readonly principals: readonly PrincipalFacts[]
  readonly rows: readonly (Readonly<Record<string, unknown>> | null)[]
}

/** Reads facts. A database fault rejects: it is never an absent row. */
export interface FactsReader {
  /**
   * @param revision of the policies that the facts are for
   * @throws DatabaseError TWR_DB_NOT_MIGRATED when the database holds another revision than `revision`
   */
  read(query: FactsQuery, revision: string): Promise<Facts>
  /** @throws DatabaseError TWR_DB_NOT_MIGRATED when the database holds another revision than `revision` */
  ready(revision: string): Promise<void>
  close(): Promise<void>
}

/** A database that an earlier twinrule migrated does not say its revision. */
type FactsOfRevision = Facts & { readonly revision?: string | null }

const READ = {
  // a name makes it a prepared statement of each connection
  name: 'twinrule_decision_facts',
  text: 'SELECT twinrule.decision_facts($1::text[], $2::text[], $3::text[], $4::text[]) AS facts'
}

/** Asks which policies the database holds; for the service's login, and in the role for lists. */
export const INSTALLED_REVISION = 'SELECT twinrule.installed_revision() AS revision'

/** Facts through a pool: one round trip and one snapshot for a decision or a whole batch. */
export function createFactsReader(pool: Pool): FactsReader {
  return {
    async read(query, revision) {
      // the evaluations of a batch mostly share their subject
      const subjects = distinct(query.subjects, ({ id, tenantId }) => JSON.stringify([id, tenantId]))
      const resources = distinct(query.resources, ({ type, id }) => JSON.stringify([type, id]))
      const values = [
        subjects.items.map(({ id }) => sendable(id)),
        subjects.items.map(({ tenantId }) => (tenantId === null ? null : (sendable(tenantId) ?? ''))),
        resources.items.map(({ type }) => sendable(type)),
        resources.items.map(({ id }) => sendable(id))
      ]
      const { rows } = await pool.query<{ facts: FactsOfRevision }>({ ...READ, values }).catch(refuse)
      const facts = rows[0]?.facts
      // safety: columns and attributes of another policy are not those that the rules here ask about
      expectRevision(facts?.revision ?? null, revision)
      return {
        principals: subjects.places.map(place => answered(facts?.principals[place])),
        rows: resources.places.map(place => answered(facts?.rows[place]))
      }
    },
    async ready(revision) {
      const { rows } = await pool.query<{ revision: string | null }>(INSTALLED_REVISION).catch(refuse)
      expectRevision(rows[0]?.revision ?? null, revision)
    },
    close: () => pool.end()
  }
}

/** @throws DatabaseError TWR_DB_NOT_MIGRATED unless the installed revision is the wanted one */
export function expectRevision(installed: string | null, wanted: string): void {
  if (installed === wanted) return
  throw new DatabaseError(
    'TWR_DB_NOT_MIGRATED',
    installed === null
      ? 'the database holds no compiled policies'
      : `the database holds revision ${installed.slice(0, 12)}, this policy is ${wanted.slice(0, 12)}`,
    {
      hint: 'run `twinrule migrate --database URL` as a superuser with this policy folder, or start the service again with the policies of that revision'
    }
  )
}

/** Each item once, and where in that list the item of each original place is. */
function distinct<T>(all: readonly T[], keyOf: (item: T) => string): { items: T[]; places: number[] } {
  const items: T[] = []
  const placeOf = new Map<string, number>()
  const places = all.map(item => {
    const key = keyOf(item)
    const place = placeOf.get(key) ?? items.push(item) - 1
    placeOf.set(key, place)
    return place
  })
  return { items, places }
}

/** @throws DatabaseError when the database left an item out */
function answered<T>(fact: T | undefined): T {
  // safety: an answer that does not fit the question is a fault, not a row that is missing
  if (fact === undefined)
    throw new DatabaseError('TWR_DB_FAULT', 'the database answered less than it was asked')
  return fact
}

/** What PostgreSQL cannot hold equals nothing there, so it is asked for as null, which matches nothing either. */
function sendable(text: string): string | null {
  return text.includes('\0') || !text.isWellFormed() ? null : text
}

function refuse(cause: unknown): never {
  throw databaseFault(cause)
}
