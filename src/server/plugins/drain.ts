import type { FastifyInstance } from 'fastify'
import { bounded } from '../bounded-facts.js'
import { describeFault } from '../error-reply.js'

/** Longest wait for requests in flight; each is bounded by far less, so this only meets callers who stopped sending. */
const DRAIN_MS = 5000
/** Longest wait for the database to say goodbye. Together with DRAIN_MS below the 10 s that a supervisor gives. */
const CLOSE_FACTS_MS = 2000

declare module 'fastify' {
  interface FastifyInstance {
    /** True from the moment the service was told to stop. */
    isDraining: () => boolean
  }
}

/** What reads from the database. */
interface Closable {
  close(): Promise<void>
}

/** Stops in order: readiness turns red, requests in flight are answered, then the database is let go. */
export function drainOnClose(app: FastifyInstance, databases: readonly Closable[]): void {
  let draining = false
  let deadline: NodeJS.Timeout | undefined
  app.decorate('isDraining', () => draining)

  app.addHook('preClose', done => {
    draining = true
    deadline = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
    done()
  })

  app.addHook('onSend', (_request, reply, payload, done) => {
    // a kept-alive connection would otherwise hold the listener open after its last answer
    if (draining) reply.header('connection', 'close')
    done(null, payload)
  })

  // runs when the listener has closed, so no request can still need the database
  app.addHook('onClose', async () => {
    clearTimeout(deadline)
    await Promise.all(
      databases.map(database =>
        bounded(async () => database.close(), CLOSE_FACTS_MS).catch((error: unknown) => {
          app.log.warn({ fault: describeFault(error) }, 'the database connections did not close')
        })
      )
    )
  })
}
