import type { FastifyBaseLogger } from 'fastify'
import { touchesDecisions } from '../drift/decisions.js'
import type { DriftFinding } from '../drift/finding.js'
import type { Findings } from '../drift/quick.js'
import { DatabaseError } from '../errors/errors.js'
import { bounded } from './bounded-facts.js'
import { describeFault } from './error-reply.js'

/** Looks once whether the database is what its last migration left. */
export type Look = () => Promise<Findings>

/** What the service knows of drift. */
export interface DriftWatch {
  /** Why the service is not ready, a sentence each; empty when it is. */
  reasons(): readonly string[]
  /** @throws DatabaseError TWR_DB_DRIFT when what decisions are made from may be wrong */
  refuseDecisions(): void
  start(): void
  stop(): void
}

/** The settings of a watch. */
export interface WatchOptions {
  readonly look: Look
  /** Between two looks, in milliseconds; 0 for none. */
  readonly intervalMs: number
  readonly log: FastifyBaseLogger
}

/** Longest wait for one look, in milliseconds. */
const LOOK_MS = 15_000
/** Looks that may fail one after the other before the service no longer believes what it saw last. */
const MAX_FAILURES = 3
/** Reasons in one answer. */
const MAX_REASONS = 10

/**
 * Looks again and again in the background. What was seen last counts until the next look; each change is logged once.
 */
export function createDriftWatch({ look, intervalMs, log }: WatchOptions): DriftWatch {
  let errors: readonly DriftFinding[] = []
  let known = ''
  let failures = 0
  let timer: NodeJS.Timeout | undefined

  const see = ({ findings }: Findings): void => {
    errors = findings.filter(({ severity }) => severity === 'error')
    if (failures > 0) log.info('the database can be checked for drift again')
    failures = 0
    const seen = findings.map(sentence).join('\n')
    if (seen === known) return
    known = seen
    const names = { drift: findings.map(({ code, severity, object }) => ({ code, severity, object })) }
    if (errors.length > 0) log.error(names, 'the database is not what its last migration left')
    else if (findings.length > 0) log.warn(names, 'something was changed in the database by hand')
    else log.info('the database is what its last migration left')
  }
  const fail = (error: unknown): void => {
    // a database that is away is told by readiness itself, and is the same when it is back
    if (error instanceof DatabaseError && error.code === 'TWR_DB_UNREACHABLE') return
    failures++
    if (failures === 1)
      log.warn({ fault: describeFault(error) }, 'the database could not be checked for drift')
  }
  const again = (delayMs: number): void => {
    timer = setTimeout(() => {
      bounded(look, LOOK_MS)
        .then(see, fail)
        .finally(() => timer !== undefined && again(intervalMs))
    }, delayMs)
    timer.unref()
  }
  return {
    reasons() {
      if (failures >= MAX_FAILURES) return ['it cannot be checked whether the database was changed by hand']
      const more = errors.length - MAX_REASONS
      return [...errors.slice(0, MAX_REASONS).map(sentence), ...(more > 0 ? [`and ${more} more`] : [])]
    },
    refuseDecisions() {
      const touched = errors.filter(touchesDecisions)
      if (touched.length === 0) return
      throw new DatabaseError('TWR_DB_DRIFT', touched.map(sentence).join('; '))
    },
    start() {
      if (intervalMs > 0) again(0)
    },
    stop() {
      clearTimeout(timer)
      timer = undefined
    }
  }
}

function sentence({ code, message }: DriftFinding): string {
  return `${code} ${message}`
}
