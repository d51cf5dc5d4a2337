import type { DecisionRequest } from '../engine/request.js'
import type { TestCase } from './case.js'
import type { TestFile } from './file.js'
import type { Fixtures } from './fixtures.js'

/** The places that decide and are asked. */
export const LOCKS = ['in process', 'http', 'rls'] as const
/** One of them. */
export type LockName = (typeof LOCKS)[number]

/** What a lock says to a question. */
export interface Verdict {
  /** null: it was not asked, and `detail` says why. */
  readonly decision: boolean | null
  /** It was asked and could not tell: the test fails. */
  readonly fault?: true
  readonly detail: string
  /** The reason code and the rule, where the lock tells. */
  readonly code?: string
  readonly rule?: string | null
}

/** A place that decides. */
export interface Lock {
  readonly name: LockName
  /** The verdicts on all questions of a file, in their order. */
  ask(file: TestFile): Promise<readonly Verdict[]>
}

/** A question as a request that carries everything that the file says. */
export function requestOf({ who, action, what, changes }: TestCase, fixtures: Fixtures): DecisionRequest {
  const related = fixtures.related(what.resource, what.columns, what.name)
  return {
    subject: { type: 'user', id: who.id, properties: who.attributes ?? {} },
    action: { name: action, ...(changes === null ? {} : { properties: { changes } }) },
    resource: { type: what.resource.name, id: what.id, properties: { ...what.columns, ...related } }
  }
}
