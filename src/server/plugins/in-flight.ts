import type { FastifyInstance } from 'fastify'
import { RequestError } from '../../errors/errors.js'

/**
 * Answers at most `max` requests at once and sends the others away at the door: under overload a quick "come back" is
 * worth more than a late answer.
 */
export function limitInFlight(app: FastifyInstance, max: number): void {
  let inFlight = 0
  app.addHook('onRequest', (_request, reply, done) => {
    if (inFlight >= max) {
      reply.header('retry-after', '1')
      done(
        new RequestError(
          'TWR_REQUEST_OVERLOADED',
          503,
          'too many requests are in flight',
          'try again shortly'
        )
      )
      return
    }
    inFlight++
    // `close` comes exactly once, after the answer or when the caller has gone; `finish` never comes for the latter
    reply.raw.once('close', () => {
      inFlight--
    })
    done()
  })
}
