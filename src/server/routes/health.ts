import type { FastifyInstance } from 'fastify'
import type { FactsReader } from '../../db/facts.js'
import { CODES } from '../../errors/codes.js'
import { RequestError } from '../../errors/errors.js'
import { bounded } from '../bounded-facts.js'
import type { DriftWatch } from '../drift-watch.js'

/** What the routes need. `timeoutMs` is the longest wait for the database in milliseconds. */
export interface HealthOptions {
  /** Null for a service without a database: it can decide as soon as it runs. */
  readonly facts: FactsReader | null
  /** Null where nobody looks for drift. */
  readonly drift: DriftWatch | null
  readonly revision: string
  readonly timeoutMs: number
}

/**
 * `GET /health/live`: the process runs. `GET /health/ready`: it can decide, from a database that holds the policies it
 * decides by and is as the last migration left it; 503 with the code of the reason when not, for drift with the names of
 * what was changed. Neither needs a key, so neither says more than that.
 */
export function healthRoutes(
  app: FastifyInstance,
  { facts, drift, revision, timeoutMs }: HealthOptions
): void {
  app.get('/health/live', async () => ({ status: 'live' }))

  let running: Promise<void> | null = null
  // safety: callers without a key cost the database at most one connection, however many they are
  const check = (): Promise<void> => {
    running ??= bounded(async () => facts?.ready(revision), timeoutMs).finally(() => {
      running = null
    })
    return running
  }

  app.get('/health/ready', async (_request, reply) => {
    if (app.isDraining()) throw new RequestError('TWR_REQUEST_DRAINING', 503, 'the service is shutting down')
    await check()
    const reasons = drift?.reasons() ?? []
    if (reasons.length > 0) {
      reply.code(503)
      return { error: { code: 'TWR_DB_DRIFT', message: `not ready: ${CODES.TWR_DB_DRIFT.title}`, reasons } }
    }
    return { status: 'ready', revision }
  })
}
