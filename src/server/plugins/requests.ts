import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Answers in the reply, for the log. */
    decisions: number
    /** What went wrong, for the log; never sent. */
    fault: Record<string, unknown> | null
  }
}

/**
 * Gives every answer its request id and forbids storing it, and writes one log line per request when its connection is
 * done with it: also for a caller who went away. Never a URL, a body, a header or an attribute.
 */
export function trackRequests(app: FastifyInstance): void {
  app.decorateRequest('decisions', 0)
  app.decorateRequest('fault', null)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    // safety: a decision is true for the moment it was made
    reply.header('cache-control', 'no-store')
    const startedAt = performance.now()
    reply.raw.once('close', () => {
      const { fault } = request
      const line = {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.raw.statusCode,
        decisions: request.decisions,
        durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
        ...(reply.raw.writableFinished ? {} : { aborted: true }),
        ...(fault === null ? {} : { fault })
      }
      app.log[fault === null ? 'info' : 'error'](line, 'request')
    })
    done()
  })
}
