import fc from 'fast-check'
import t from 'tap'
import { canonicalUuid } from '../../src/ir/uuid.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const meant = (text: string): string | null => (UUID.test(text) ? text.toLowerCase() : null)

t.test('a uuid is what the regular expression says', t => {
  const uuid = fc.tuple(fc.uuid(), fc.boolean()).map(([text, upper]) => (upper ? text.toUpperCase() : text))
  // one character is another: of both letter cases, digits, neighbours of them, and what case folding makes of others
  const odd = fc.constantFrom(...'0aAfFgG@`/:-_ \n\0{}éKſ０', '\ud800', '')
  const spoilt = fc
    .tuple(uuid, fc.nat(36), odd)
    .map(([text, i, char]) => text.slice(0, i) + char + text.slice(i + 1))
  fc.assert(
    fc.property(fc.oneof(uuid, spoilt, fc.string({ minLength: 34, maxLength: 38 })), text => {
      return canonicalUuid(text) === meant(text)
    }),
    { numRuns: 20_000 }
  )
  for (const text of [
    '',
    '-'.repeat(36),
    'a'.repeat(36),
    `${'a'.repeat(8)}-aaaa-aaaa-aaaa-${'a'.repeat(12)}\n`
  ]) {
    t.equal(canonicalUuid(text), meant(text), text)
  }
  t.equal(canonicalUuid('AAAAAAAA-aaaa-AAAA-aaaa-AAAAAAAAAAAA'), 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa')
  t.end()
})
