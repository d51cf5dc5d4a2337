import type { FastifyInstance } from 'fastify'
import { parseStrictJson } from '../strict-json.js'

/** Accepts application/json and nothing else, parsed strictly. */
export function acceptStrictJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseStrictJson(body))
    } catch (error) {
      done(error as Error)
    }
  })
}
