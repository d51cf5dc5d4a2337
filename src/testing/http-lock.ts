import { TestError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'
import type { TestCase } from './case.js'
import type { Fixtures } from './fixtures.js'
import { type Lock, requestOf, type Verdict } from './lock.js'

/** How to reach a decision service. */
export interface ServiceOptions {
  readonly url: string
  readonly apiKey: string
  /** The policies that it must have. */
  readonly bundle: Bundle
}

/** Questions of one request: less than any service's limit that makes sense. */
const BATCH = 100
const TIMEOUT_MS = 30_000

/**
 * A decision service. Rows are sent with the question; who asks is read by the service from its own database, so the
 * principals of the file must be there. A stateless service has none, and takes what is sent of them.
 *
 * @throws TestError TWR_TEST_SERVICE when it cannot be asked, or has other policies
 */
export function httpLock(options: ServiceOptions): Lock {
  return {
    name: 'http',
    async ask({ cases, fixtures }) {
      const verdicts: Verdict[] = []
      for (let i = 0; i < cases.length; i += BATCH) {
        const some = cases.slice(i, i + BATCH)
        const answers = await post(
          options,
          some.map(one => questionOf(one, fixtures, options))
        )
        if (answers.length !== some.length)
          throw unusable(`${some.length} questions got ${answers.length} answers`)
        verdicts.push(...answers.map(answer => verdictOf(answer, options)))
      }
      return verdicts
    }
  }
}

/** A service with a database takes from this in which tenant the subject acts, and believes nothing else of it. */
function questionOf(one: TestCase, fixtures: Fixtures, { bundle }: ServiceOptions) {
  const { subject, ...rest } = requestOf(one, fixtures)
  const passed = bundle.principal.filter(({ name, source }) => name !== 'id' && source === 'context')
  const attributes = passed.map(({ name }) => [name, one.who.attributes?.[name]] as const)
  const properties = { tenant_id: one.who.tenant.id, ...Object.fromEntries(attributes) }
  return { ...rest, subject: { type: subject.type, id: subject.id, properties } }
}

interface ServiceAnswer {
  readonly decision?: unknown
  readonly context?: {
    readonly reason?: string
    readonly code?: string
    readonly rule?: string | null
    readonly revision?: string
  }
}

async function post(
  { url, apiKey }: ServiceOptions,
  evaluations: readonly unknown[]
): Promise<readonly ServiceAnswer[]> {
  let reply: Response
  let body: unknown
  try {
    reply = await fetch(new URL('/authorize', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ evaluations }),
      signal: AbortSignal.timeout(TIMEOUT_MS)
    })
    body = await reply.json()
  } catch (cause) {
    throw unusable('it does not answer', 'check the address, and that the service is running', cause)
  }
  const { evaluations: answers, error } = body as {
    evaluations?: readonly ServiceAnswer[]
    error?: { message?: string }
  }
  if (reply.status === 401)
    throw unusable('it does not take the API key', 'set TWINRULE_API_KEYS to one that it takes')
  if (!reply.ok || answers === undefined)
    throw unusable(`it answers ${reply.status}: ${error?.message ?? 'no decisions'}`)
  return answers
}

function verdictOf(
  { decision, context = {} }: ServiceAnswer,
  { bundle: { revision } }: ServiceOptions
): Verdict {
  if (typeof decision !== 'boolean') throw unusable('an answer holds no decision')
  if (context.revision !== revision) {
    const hint = 'start it with the policies that are tested, or name their folder'
    throw unusable(
      `it has other policies: revision ${context.revision?.slice(0, 12)}, not ${revision.slice(0, 12)}`,
      hint
    )
  }
  const { reason = '', code = '', rule = null } = context
  const stranger = ['unknown_subject', 'not_a_member', 'no_tenant', 'several_tenants'].includes(code)
  const detail = stranger ? `${reason} (the service reads principals from its own database)` : reason
  return { decision, detail, code, rule }
}

function unusable(message: string, hint?: string, cause?: unknown): TestError {
  return new TestError('TWR_TEST_SERVICE', `the service cannot be tested: ${message}`, { hint, cause })
}
