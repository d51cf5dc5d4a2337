import { isDeepStrictEqual } from 'node:util'
import { InternalError } from '../errors/errors.js'

type Members = Readonly<Record<string, unknown>>
type Keyword = (limit: never, value: unknown, schema: Members) => boolean

/**
 * Whether a value fits a JSON Schema, for the keywords that the schemas of this repository use. It says yes or no and
 * nothing else, so that a start with a sound policy need not load and compile what tells the mistakes of another one.
 *
 * @throws InternalError when the schema has another keyword
 */
export function fits(schema: unknown, value: unknown): boolean {
  if (typeof schema === 'boolean') return schema
  return Object.entries(schema as Members).every(([keyword, limit]) => {
    const check = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword as keyof typeof KEYWORDS] : undefined
    // safety: what is not understood is not passed over
    if (check === undefined) throw new InternalError(`the schema has the keyword ${keyword}`)
    return (check as Keyword)(limit as never, value, schema as Members)
  })
}

/** Says nothing about the value. */
const always = () => true

const KEYWORDS = {
  $schema: always,
  title: always,
  description: always,
  examples: always,
  type: (type: string | readonly string[], value: unknown) => [type].flat().includes(typeOf(value)),
  const: (only: unknown, value: unknown) => value === only,
  enum: (known: readonly unknown[], value: unknown) => known.includes(value),
  anyOf: (options: readonly unknown[], value: unknown) => options.some(one => fits(one, value)),
  oneOf: (options: readonly unknown[], value: unknown) =>
    options.filter(one => fits(one, value)).length === 1,
  // in code points, as JSON Schema counts
  minLength: (least: number, value: unknown) => typeof value !== 'string' || [...value].length >= least,
  maxLength: (most: number, value: unknown) => typeof value !== 'string' || [...value].length <= most,
  pattern: (pattern: string, value: unknown) =>
    typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  minItems: (least: number, value: unknown) => !Array.isArray(value) || value.length >= least,
  items: (each: unknown, value: unknown) =>
    !Array.isArray(value) || value.every((item: unknown) => fits(each, item)),
  uniqueItems: (unique: boolean, value: unknown) => !unique || !Array.isArray(value) || isSet(value),
  required: (names: readonly string[], value: unknown) =>
    !isObject(value) || names.every(name => Object.hasOwn(value, name) && value[name] !== undefined),
  minProperties: (least: number, value: unknown) => !isObject(value) || Object.keys(value).length >= least,
  maxProperties: (most: number, value: unknown) => !isObject(value) || Object.keys(value).length <= most,
  propertyNames: (names: unknown, value: unknown) =>
    !isObject(value) || Object.keys(value).every(name => fits(names, name)),
  properties: (known: Members, value: unknown) =>
    !isObject(value) ||
    Object.entries(known).every(([name, each]) => !Object.hasOwn(value, name) || fits(each, value[name])),
  additionalProperties: (others: unknown, value: unknown, { properties = {} }: Members) =>
    !isObject(value) ||
    Object.keys(value).every(name => Object.hasOwn(properties as Members, name) || fits(others, value[name]))
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function isObject(value: unknown): value is Members {
  return typeOf(value) === 'object'
}

function isSet(values: readonly unknown[]): boolean {
  if (new Set(values).size < values.length) return false
  const composed = values.filter(value => typeof value === 'object')
  return composed.every((one, i) => composed.findIndex(other => isDeepStrictEqual(one, other)) === i)
}
