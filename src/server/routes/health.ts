import type { FastifyInstance } from 'fastify'
import type { FactsReader } from '../../db/facts.js'
import { RequestError } from '../../errors/errors.js'
import { bounded } from '../bounded-facts.js'

/** What the routes need. `timeoutMs` is the longest wait for the database in milliseconds. */
export interface HealthOptions {
  readonly facts: FactsReader
  readonly revision: string
  readonly timeoutMs: number
}

/**
 * `GET /health/live`: the process runs. `GET /health/ready`: it can decide, from a database that holds the policies it
 * decides by; 503 with the code of the reason when not. Neither needs a key, so neither says more than that.
 */
export function healthRoutes(app: FastifyInstance, { facts, revision, timeoutMs }: HealthOptions): void {
  app.get('/health/live', async () => ({ status: 'live' }))

  let running: Promise<void> | null = null
  // safety: callers without a key cost the database at most one connection, however many they are
  const check = (): Promise<void> => {
    running ??= bounded(() => facts.ready(revision), timeoutMs).finally(() => {
      running = null
    })
    return running
  }

  app.get('/health/ready', async () => {
    if (app.isDraining()) throw new RequestError('TWR_REQUEST_DRAINING', 503, 'the service is shutting down')
    await check()
    return { status: 'ready', revision }
  })
}
