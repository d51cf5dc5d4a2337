import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { InvalidBody } from './invalid-body.js'
import { Question } from './schemas.js'

/** The one validator of the service, for whole bodies (through Fastify) and for the items of a batch. */
const ajv = new Ajv({
  // safety: a coerced, stripped or defaulted value is a question that nobody asked
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  // safety: all errors of a hostile body would cost more than the first
  allErrors: false,
  strict: true,
  // counts UTF-16 units, which needs no walk through the string; ajv calls the option deprecated on its logger
  unicode: false,
  logger: false
})

/** Compiles a schema for Fastify's `setValidatorCompiler`. */
export function compileValidator(schema: object): ValidateFunction {
  return ajv.compile(schema)
}

const isQuestion = ajv.compile<Question>(Question)

/**
 * The value as a question.
 *
 * @throws InvalidBody with the path of the first mistake
 */
export function readQuestion(value: unknown): Question {
  if (isQuestion(value)) return value
  throw invalidBody(isQuestion.errors?.[0])
}

/** One finding of ajv as an error for the caller. */
export function invalidBody(
  finding: Pick<ErrorObject, 'instancePath' | 'keyword' | 'params' | 'message'> | undefined
) {
  if (finding === undefined) return new InvalidBody('', 'the body does not have the documented shape')
  const { instancePath, keyword, params } = finding
  const missing = keyword === 'required' ? `/${String(params['missingProperty'])}` : ''
  const path = instancePath + missing
  const name = path === '' ? 'the body' : path.slice(1).replaceAll('/', '.')
  return new InvalidBody(path, `${name} ${problem(finding)}`)
}

function problem({ keyword, params, message }: Pick<ErrorObject, 'keyword' | 'params' | 'message'>): string {
  switch (keyword) {
    case 'required':
      return 'is missing'
    case 'type':
      return `must be ${params['type'] === 'array' || params['type'] === 'object' ? 'an' : 'a'} ${String(params['type'])}`
    case 'maxLength':
      return `must not be longer than ${String(params['limit'])} characters`
    case 'maxItems':
      return `must not have more than ${String(params['limit'])} items`
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`
    default:
      return message ?? 'is not valid'
  }
}
