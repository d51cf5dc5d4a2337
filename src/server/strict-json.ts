import { isUtf8 } from 'node:buffer'
import { RequestError } from '../errors/errors.js'

/** Objects and arrays inside each other; the deepest legal question needs 6 and free properties the rest. */
const MAX_DEPTH = 64
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const OPEN_LIST = 0x5b
const CLOSE_OBJECT = 0x7d
const CLOSE_LIST = 0x5d

/**
 * Parses a request body, and refuses what two JSON readers may understand differently: bytes that are not UTF-8, a
 * member name that stands twice in one object, and the names `__proto__` and `constructor`.
 *
 * @throws RequestError 400; the text itself is never part of the message
 */
export function parseStrictJson(body: Buffer): unknown {
  if (body.length === 0) throw invalid('the body is empty', 'send one JSON object')
  // safety: replacement characters would make two different ids one
  if (!isUtf8(body)) throw invalid('the body is not UTF-8')
  const text = body.toString('utf8')
  const members = scan(text)
  const value = parse(text)
  // safety: a gateway that reads the first of two equal names and a service that reads the last decide different things
  if (countMembers(value) !== members) throw invalid('a member name stands twice in one object')
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw invalid('the body is not valid JSON')
  }
}

/** Counts the members in the text, a name that stands twice counted twice, before anything is built from it. */
function scan(text: string): number {
  let members = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) i = endOfString(text, i)
    else if (char === COLON) members++
    else if (char === OPEN_OBJECT || char === OPEN_LIST) {
      // safety: everything behind this line may recurse
      if (++depth > MAX_DEPTH) throw invalid(`the body is nested more than ${MAX_DEPTH} levels deep`)
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) depth--
  }
  return members
}

/** The place of the quote that ends the string which begins at `start`; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    // each pair of them is one character, an odd one makes the quote a part of the string
    if (backslashes % 2 === 0) return end
  }
  return text.length
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) {
    let inside = 0
    for (const item of value as unknown[]) inside += countMembers(item)
    return inside
  }
  let count = 0
  const members = value as Readonly<Record<string, unknown>>
  for (const name in members) {
    // they mean something to JavaScript's objects and nothing to a policy, where they are reserved too
    if (name === '__proto__' || name === 'constructor') {
      throw invalid('a member is called __proto__ or constructor')
    }
    const member = members[name]
    count += 1 + (typeof member === 'object' ? countMembers(member) : 0)
  }
  return count
}

function invalid(message: string, hint?: string): RequestError {
  return new RequestError('TWR_REQUEST_INVALID', 400, message, hint)
}
