import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { parse } from 'yaml'
import { fits } from '../../src/policy/fits.js'
import { POLICY_SCHEMA } from '../../src/policy/schema.js'
import { TEST_SCHEMA } from '../../src/testing/schema.js'

const FILES = [
  ['policies/platform.yaml', POLICY_SCHEMA],
  ['examples/collaboration/policies/collaboration.yaml', POLICY_SCHEMA],
  ['policies/platform.test.yaml', TEST_SCHEMA]
] as const

const ODD: readonly unknown[] = [
  null,
  1,
  true,
  '',
  'x',
  'X y',
  'read',
  '\u{1f600}'.repeat(40),
  [],
  ['a', 'a'],
  {},
  { x: 1 }
]

type Tree = Record<string, unknown> | unknown[]

/** Every object and list in a document. */
function treesIn(value: unknown): Tree[] {
  if (typeof value !== 'object' || value === null) return []
  return [value as Tree, ...Object.values(value).flatMap(treesIn)]
}

/** One change at a place that is drawn: another value, one member less, one more, or one twice. */
function spoil(document: unknown, [at, member, how, odd]: readonly [number, number, number, unknown]): void {
  const trees = treesIn(document)
  const tree = trees[at % trees.length] as Record<string, unknown> | unknown[]
  if (Array.isArray(tree)) {
    if (how === 0) tree.length = 0
    else tree.push(how === 1 ? tree[0] : odd)
    return
  }
  const names = Object.keys(tree)
  const name = names[member % Math.max(names.length, 1)] ?? 'x'
  if (how === 0) delete tree[name]
  else if (how === 1) tree[name] = odd
  else tree[how === 2 ? `${name} ` : 'extra'] = tree[name] ?? odd
}

const ajv = new Ajv({ strict: false })

for (const [file, schema] of FILES) {
  t.test(`${file}, spoilt at random, fits its schema when ajv says so`, async t => {
    const check = ajv.compile(schema)
    const text = readFileSync(file, 'utf8')
    t.ok(fits(schema, parse(text)), 'it fits as it is')
    const change = fc.tuple(fc.nat(), fc.nat(), fc.nat(3), fc.constantFrom(...ODD))
    const seen = { good: 0, bad: 0 }
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), changes => {
        const document: unknown = parse(text)
        for (const one of changes) spoil(document, one)
        const expected = check(document)
        seen[expected ? 'good' : 'bad']++
        return fits(schema, document) === expected
      }),
      { numRuns: 300 }
    )
    t.ok(seen.good > 20 && seen.bad > 20, JSON.stringify(seen))
  })
}

t.test('a keyword that it does not know stops it', async t => {
  t.throws(() => fits({ minimum: 3 }, 2), { code: 'TWR_BUG' })
  t.throws(() => fits({ items: { contains: {} } }, [1]), { code: 'TWR_BUG' })
  t.throws(() => fits({ toString: {} }, 1), { code: 'TWR_BUG' })
})
