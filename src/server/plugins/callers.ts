import type { FastifyInstance } from 'fastify'
import { RequestError } from '../../errors/errors.js'
import { createKeyCheck } from '../api-keys.js'

/** Lets in only callers who present an API key, before anything of their body is read. */
export function requireApiKey(app: FastifyInstance, keys: readonly string[]): void {
  const isKnown = createKeyCheck(keys)
  app.addHook('onRequest', (request, reply, done) => {
    if (isKnown(request.headers.authorization)) {
      done()
      return
    }
    reply.header('www-authenticate', 'Bearer')
    done(
      new RequestError(
        'TWR_REQUEST_UNAUTHENTICATED',
        401,
        'the API key is missing or wrong',
        'send the header Authorization: Bearer <one of TWINRULE_API_KEYS>'
      )
    )
  })
}
