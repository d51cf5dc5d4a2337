import type { FastifyInstance } from 'fastify'
import type { ListPage } from '../../db/list.js'
import { SUBJECT_TYPE } from '../../engine/question.js'
import { DatabaseError, RequestError } from '../../errors/errors.js'
import { canonicalUuid } from '../../ir/uuid.js'
import { bounded } from '../bounded-facts.js'
import type { DriftWatch } from '../drift-watch.js'
import { type ListRequest, readListRequest } from '../list-request.js'
import type { Lister } from '../lister.js'
import { REASONS } from '../stored-question.js'

/** What the route needs. `timeoutMs` is the longest wait for the database in milliseconds. */
export interface ListOptions {
  readonly isStateless: boolean
  readonly lister: Lister | undefined
  /** Null where nobody looks for drift. */
  readonly drift: DriftWatch | null
  readonly revision: string
  readonly timeoutMs: number
}

/** Why there are no rows whatever the filter is; like a deny, it is an answer. */
interface Nobody {
  readonly code: 'unknown_subject_type' | 'unknown_subject' | 'not_a_member'
  readonly reason: string
}

/** `POST /v1/list`: the rows of a type that a subject may read in a tenant, page by page, as row-level security shows them. */
export function listRoutes(app: FastifyInstance, options: ListOptions): void {
  const { isStateless, lister, revision } = options
  app.post('/v1/list', async request => {
    if (lister === undefined) throw noLists(isStateless)
    const asked = readListRequest(request.body)
    const found = await pageFor(asked, { ...options, lister })
    if (!('code' in found)) return { ...found, revision }
    const count = asked.query.count === true ? { count: 0 } : {}
    return { rows: [], cursor: null, ...count, revision, ...found }
  })
}

function noLists(isStateless: boolean): RequestError {
  return isStateless
    ? new RequestError('TWR_REQUEST_NO_LISTS', 404, 'a stateless service has no rows to list')
    : new RequestError(
        'TWR_REQUEST_NO_LISTS',
        404,
        'this service reads no lists: TWINRULE_LIST_DATABASE_URL is not set',
        'start it with the URL of the login twinrule_app there, and with TWINRULE_CONTEXT_KEY'
      )
}

async function pageFor(
  { subject, tenantId, query }: ListRequest,
  { lister, drift, timeoutMs }: ListOptions & { lister: Lister }
): Promise<ListPage | Nobody> {
  if (subject.type !== SUBJECT_TYPE) {
    return { code: 'unknown_subject_type', reason: `subjects are of type ${SUBJECT_TYPE}` }
  }
  const userId = canonicalUuid(subject.id)
  if (userId === null) return { code: 'unknown_subject', reason: REASONS.unknown_subject }
  // safety: rows are held by nothing but the policies of the database, so any drift ends lists
  const reasons = drift?.reasons() ?? []
  if (reasons.length > 0) throw new DatabaseError('TWR_DB_DRIFT', reasons.join('; '))
  try {
    return await bounded(() => lister.list({ userId, tenantId }, query), timeoutMs)
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'TWR_DB_NOT_MEMBER') throw error
    return { code: 'not_a_member', reason: REASONS.not_a_member }
  }
}
