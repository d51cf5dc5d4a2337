import type { FastifyInstance } from 'fastify'
import { parseStrictJson } from '../strict-json.js'
import { compileValidator } from '../validation.js'

/** Accepts application/json and nothing else, parsed and validated strictly. */
export function acceptStrictJson(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema }) => compileValidator(schema as object))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseStrictJson(body))
    } catch (error) {
      done(error as Error)
    }
  })
}
