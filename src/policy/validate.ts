import { createRequire } from 'node:module'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { PolicyError } from '../errors/errors.js'
import { closest, didYouMean } from '../errors/suggest.js'
import { fits } from './fits.js'
import { RESERVED_NAMES } from './reserved.js'
import { POLICY_SCHEMA } from './schema.js'
import type { Path, Source } from './source.js'

/** A schema, and what tells the mistakes of a file that does not fit it. */
export interface Shape {
  readonly schema: object
  /** Made for the first file that has a mistake: to compile the schema takes longer than to read a policy. */
  mistakes: ValidateFunction | null
}

/** The schema of a kind of file, made ready. */
export function shapeOf(schema: object): Shape {
  return { schema, mistakes: null }
}

const policyShape = shapeOf(POLICY_SCHEMA)

/** The places where a file does not have the documented shape, every one of them. By default of a policy file. */
export function shapeProblems(source: Source, shape = policyShape): PolicyError[] {
  if (fits(shape.schema, source.value)) return []
  shape.mistakes ??= compiled(shape.schema)
  const validate = shape.mistakes
  if (validate(source.value)) return []
  const errors = (validate.errors ?? []).filter(
    error => error.keyword !== 'anyOf' && !isBranchNoise(error) && !error.schemaPath.includes('/oneOf')
  )
  return errors
    .filter(error => error.keyword !== 'required' || !isMisspelt(error, errors))
    .flatMap(error => problemOf(source, error) ?? [])
}

function compiled(schema: object): ValidateFunction {
  const { Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv')
  const options = {
    allErrors: true,
    verbose: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true
  }
  return new Ajv(options).compile(schema)
}

/** A missing key whose misspelling stands beside it is one mistake. */
function isMisspelt(missing: ErrorObject, errors: readonly ErrorObject[]): boolean {
  const key = String((missing.params as Record<string, unknown>)['missingProperty'])
  return errors.some(other => {
    if (other.keyword !== 'additionalProperties' || other.instancePath !== missing.instancePath) return false
    const written = String((other.params as Record<string, unknown>)['additionalProperty'])
    return closest(written, [key]) !== undefined
  })
}

/** Of "a text or a mapping" ajv reports both sides; the one that the author did not try says nothing. */
function isBranchNoise(error: ErrorObject): boolean {
  const inAnyOf = error.schemaPath.includes('/anyOf/')
  if (!inAnyOf) return false
  const wroteMap = typeof error.data === 'object' && error.data !== null && !Array.isArray(error.data)
  const atBranch = /\/anyOf\/\d\/type$/.test(error.schemaPath)
  return atBranch && (wroteMap || error.schemaPath.endsWith('/anyOf/1/type'))
}

function problemOf(source: Source, error: ErrorObject): PolicyError | null {
  const path = pathOf(source.value, error.instancePath)
  const params = error.params as Record<string, unknown>
  const at = (message: string, hint?: string) =>
    new PolicyError('TWR_POLICY_SCHEMA', message, source.spanOf(path), hint)
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(source, error, path, String(params['additionalProperty']))
    case 'required':
      return new PolicyError(
        'TWR_POLICY_SCHEMA',
        `\`${String(params['missingProperty'])}\` is missing`,
        path.length === 0 ? source.spanOf([]) : source.keySpanOf(path),
        requiredHint(String(params['missingProperty']))
      )
    case 'type':
      return at(`expected ${typeWords(params['type'])}, got ${wordsFor(error.data)}`)
    case 'const':
      return at(`expected ${JSON.stringify(params['allowedValue'])}`)
    case 'propertyNames':
      return null
    case 'enum':
      return at(`expected one of ${(params['allowedValues'] as unknown[]).join(', ')}`)
    case 'uniqueItems':
      return at('the list names something twice')
    case 'minProperties':
    case 'maxProperties':
      return at('expected exactly one key here')
    case 'minItems':
      return at('the list is empty')
    case 'pattern':
    case 'maxLength':
    case 'minLength':
      return nameProblem(source, error, path)
    default:
      return at(error.message ?? 'not of the documented shape')
  }
}

function unknownKey(source: Source, error: ErrorObject, path: Path, key: string): PolicyError {
  const span = source.keySpanOf([...path, key])
  const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {})
  const hint = didYouMean(key, known) ?? `known here: ${known.join(', ')}`
  return new PolicyError('TWR_POLICY_SCHEMA', `unknown key \`${key}\``, span, hint)
}

function nameProblem(source: Source, error: ErrorObject, path: Path): PolicyError {
  const key = (error as { propertyName?: string }).propertyName
  const written = key ?? String(error.data)
  const span = key === undefined ? source.spanOf(path) : source.keySpanOf([...path, key])
  const hint = 'lower case letters, digits and _, starting with a letter or _, at most 63 characters'
  return new PolicyError('TWR_POLICY_SCHEMA', `\`${written.slice(0, 80)}\` is not a name`, span, hint)
}

/** Reserved names are refused wherever a name is declared. */
export function reservedProblems(source: Source, path: Path, names: readonly string[]): PolicyError[] {
  return names
    .filter(name => RESERVED_NAMES.has(name))
    .map(
      name =>
        new PolicyError(
          'TWR_POLICY_RESERVED',
          `\`${name}\` is reserved`,
          source.keySpanOf([...path, name]),
          'choose another name'
        )
    )
}

function requiredHint(key: string): string | undefined {
  if (key === 'when') return 'a rule for everyone says when: "true"'
  if (key === 'version') return 'start the file with version: 1'
  return undefined
}

function pathOf(value: unknown, pointer: string): Path {
  const path: (string | number)[] = []
  let at = value
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const step = Array.isArray(at) ? Number(key) : key
    path.push(step)
    at = (at as Record<string | number, unknown> | undefined)?.[step]
  }
  return path
}

function typeWords(type: unknown): string {
  const words: Readonly<Record<string, string>> = {
    object: 'a mapping',
    array: 'a list',
    string: 'a text',
    boolean: 'true or false'
  }
  return [type]
    .flat()
    .map(one => words[String(one)] ?? String(one))
    .join(' or ')
}

function wordsFor(data: unknown): string {
  if (data === null) return 'nothing'
  if (Array.isArray(data)) return 'a list'
  return typeof data === 'object' ? 'a mapping' : `a ${typeof data}`
}
