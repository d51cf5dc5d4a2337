import { createHash } from 'node:crypto'
import { RequestError } from '../errors/errors.js'

/** Bytes of the sum over a cursor. */
const SUM_BYTES = 12

/** Where a page ended: the value of each sort key as text, null for NULL. */
export type Place = readonly (string | null)[]

/**
 * The cursor of a place in a list. It opens nothing: who forges one sees the rows that he may read anyway, from another
 * place on. The sum is there so that a cursor that was cut, changed or taken from another list is called by its name.
 *
 * @param list what the list is: a cursor of one with other filters or another order is refused
 */
export function cursorOf(list: string, place: Place): string {
  const body = Buffer.from(JSON.stringify(place))
  return Buffer.concat([sumOf(list, body), body]).toString('base64url')
}

/** @throws RequestError TWR_REQUEST_CURSOR */
export function placeOf(list: string, cursor: string, keys: number): Place {
  const bytes = Buffer.from(cursor, 'base64url')
  const body = bytes.subarray(SUM_BYTES)
  // Buffer passes over what is no base64url, so a cursor is only what would be written so
  const intact =
    bytes.toString('base64url') === cursor && bytes.subarray(0, SUM_BYTES).equals(sumOf(list, body))
  const place: unknown = intact ? JSON.parse(String(body)) : null
  if (!isPlace(place) || place.length !== keys) throw badCursor()
  return place
}

/** What is said to whoever comes with a cursor that is none of this list. */
export function badCursor(): RequestError {
  return new RequestError(
    'TWR_REQUEST_CURSOR',
    400,
    'the cursor is not one of this list',
    'send the cursor of the page before as it is, with the same type, filter and sort; without one the list begins'
  )
}

function isPlace(value: unknown): value is Place {
  return Array.isArray(value) && value.every(one => one === null || typeof one === 'string')
}

function sumOf(list: string, body: Buffer): Buffer {
  return createHash('sha256').update(list).update('\0').update(body).digest().subarray(0, SUM_BYTES)
}
