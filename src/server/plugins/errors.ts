import type { FastifyInstance } from 'fastify'
import { RequestError } from '../../errors/errors.js'
import { describeFault, refusal } from '../error-reply.js'

/** Seconds after which a caller may ask again; what is broken for longer shows in /health/ready. */
const RETRY_AFTER_S = '1'

/** Answers everything that is thrown, and every unknown path and method, in one format. */
export function replyToErrors(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set<string>()
    for (const one of [method].flat()) known.add(one)
    methods.set(url, known)
  })

  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    // in onRequest, so that a body nobody wants is not read
    const allowed = methods.get(request.url.split('?', 1)[0] ?? '')
    if (allowed === undefined) {
      done(new RequestError('TWR_REQUEST_NOT_FOUND', 404, 'there is no such endpoint'))
      return
    }
    const list = [...allowed].sort().join(', ')
    reply.header('allow', list)
    done(new RequestError('TWR_REQUEST_METHOD', 405, `this endpoint takes ${list}`))
  })

  app.setErrorHandler((error, request, reply) => {
    const { statusCode, body } = refusal(error)
    if (statusCode >= 500) request.fault = describeFault(error)
    if (statusCode === 503) reply.header('retry-after', RETRY_AFTER_S)
    reply.code(statusCode).send(body)
  })
}
