import { InvalidBody } from './invalid-body.js'
import { type Batch, type Members, type Question, SEMANTICS, type Semantic } from './schemas.js'

/** Names and ids longer than this are refused: no policy, uuid or table has one. In UTF-16 code units. */
const MAX_NAME = 256

/**
 * The value as a question. Written by hand, because a question is small and asked often: a test compares it with ajv.
 * Unknown members are passed over everywhere, as AuthZEN 1.0 wants; nothing is converted, filled in or taken out.
 *
 * @throws InvalidBody with the path of the first mistake
 */
export function readQuestion(value: unknown): Question {
  const { subject, action, resource, context } = objectAt(value, '')
  if (subject === undefined) throw missing('/subject')
  if (action === undefined) throw missing('/action')
  if (resource === undefined) throw missing('/resource')
  checkEntity(subject, '/subject')
  const { name, properties } = objectAt(action, '/action')
  if (name === undefined) throw missing('/action/name')
  checkName(name, '/action', 'name')
  if (properties !== undefined) objectAt(properties, '/action/properties')
  checkEntity(resource, '/resource')
  if (context !== undefined) objectAt(context, '/context')
  return value as Question
}

/**
 * The body as a batch. Items and defaults are checked one by one when they have been put together, because an item's
 * mistake is its own.
 *
 * @param maxBatch most items
 * @throws InvalidBody with the path of the first mistake
 */
export function readBatch(body: unknown, maxBatch: number): Batch {
  const defaults = objectAt(body, '')
  const { evaluations = [], options = {} } = defaults
  if (!Array.isArray(evaluations)) throw invalid('/evaluations', 'must be an array')
  if (evaluations.length > maxBatch)
    throw invalid('/evaluations', `must not have more than ${maxBatch} items`)
  const { evaluations_semantic: semantic = 'execute_all' } = objectAt(options, '/options')
  if (!isSemantic(semantic)) {
    throw invalid('/options/evaluations_semantic', `must be one of ${SEMANTICS.join(', ')}`)
  }
  return { defaults, items: evaluations, semantic }
}

function isSemantic(value: unknown): value is Semantic {
  return SEMANTICS.some(one => one === value)
}

function checkEntity(value: unknown, at: string): void {
  const { type, id, properties } = objectAt(value, at)
  if (type === undefined) throw missing(`${at}/type`)
  if (id === undefined) throw missing(`${at}/id`)
  checkName(type, at, 'type')
  checkName(id, at, 'id')
  if (properties !== undefined) objectAt(properties, `${at}/properties`)
}

/** A name or an id. @throws InvalidBody */
export function checkName(value: unknown, at: string, name: string): string {
  if (typeof value !== 'string') throw invalid(`${at}/${name}`, 'must be a string')
  if (value.length > MAX_NAME) {
    throw invalid(`${at}/${name}`, `must not be longer than ${MAX_NAME} characters`)
  }
  return value
}

/** The value at a path, which must be an object. @throws InvalidBody */
export function objectAt(value: unknown, at: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(at, 'must be an object')
  }
  return value as Members
}

/** That a member is not there. */
export function missing(path: string, hint?: string): InvalidBody {
  return invalid(path, 'is missing', hint)
}

/** That the member at a path is wrong. */
export function invalid(path: string, problem: string, hint?: string): InvalidBody {
  const name = path === '' ? 'the body' : path.slice(1).replaceAll('/', '.')
  return new InvalidBody(path, `${name} ${problem}`, hint)
}
