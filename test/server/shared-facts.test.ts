import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { Facts, FactsQuery } from '../../src/db/facts.js'
import { type FactsRead, shareReads } from '../../src/server/shared-facts.js'

/** Answers with what was asked for and the number of the statement, and remembers the statements. */
function echo(): FactsRead & { readonly asked: { query: FactsQuery; revision: string }[] } {
  const asked: { query: FactsQuery; revision: string }[] = []
  return {
    asked,
    async read(query, revision) {
      const statement = asked.push({ query, revision })
      await turn()
      return {
        principals: query.subjects.map(({ id }) => ({ status: 'member', principal: { id, statement } })),
        rows: query.resources.map(({ type, id }) => ({ type, id, statement, revision }))
      }
    }
  }
}

const query = (subjects: readonly string[], rows: readonly string[] = []): FactsQuery => ({
  subjects: subjects.map(id => ({ id, tenantId: null })),
  resources: rows.map(id => ({ type: 'agent', id }))
})
const idsOf = ({ principals, rows }: Facts): unknown => [
  principals.map(one => (one.status === 'member' ? one.principal['id'] : one.status)),
  rows.map(row => row?.['id'])
]
const asking = ({ subjects, resources }: FactsQuery): unknown => [
  subjects.map(({ id }) => id),
  resources.map(({ id }) => id)
]

t.test('requests of one turn share a statement, and each gets its own facts', async t => {
  const reader = echo()
  const shared = shareReads(reader)
  const found = await Promise.all([
    shared.read(query(['a'], ['1']), 'r'),
    shared.read(query(['b', 'c']), 'r'),
    shared.read(query([], ['2', '3']), 'r')
  ])
  t.equal(reader.asked.length, 1)
  t.same(found.map(idsOf), [
    [['a'], ['1']],
    [['b', 'c'], []],
    [[], ['2', '3']]
  ])
})

t.test('a request that comes when a statement is under way gets a later one', async t => {
  const reader = echo()
  const shared = shareReads(reader)
  const first = shared.read(query(['a'], ['1']), 'r')
  await turn()
  t.equal(reader.asked.length, 1, 'the first is sent')
  const { rows } = await shared.read(query(['a'], ['1']), 'r')
  t.same(rows, [{ type: 'agent', id: '1', statement: 2, revision: 'r' }])
  await first
})

t.test('another revision is asked for on its own', async t => {
  const reader = echo()
  const shared = shareReads(reader)
  await Promise.all(['r', 's', 's', 'r'].map(revision => shared.read(query(['a'], ['1']), revision)))
  t.same(
    reader.asked.map(({ revision }) => revision),
    ['r', 's', 'r']
  )
})

t.test('a statement of many subjects and resources is not made larger', async t => {
  const reader = echo()
  const shared = shareReads(reader)
  const many = Array.from({ length: 500 }, (_, i) => `${i}`)
  await Promise.all([
    shared.read(query(['a']), 'r'),
    shared.read(query(many), 'r'),
    shared.read(query(['b']), 'r')
  ])
  t.same(
    reader.asked.map(({ query }) => query.subjects.length),
    [1, 500, 1]
  )
})

t.test('a fault reaches all who share the statement, and nobody else', async t => {
  let broken = true
  const reader = echo()
  const shared = shareReads({
    read(query, revision) {
      // thrown and not rejected, as by a reader that is not async
      if (broken) throw new Error('gone')
      return reader.read(query, revision)
    }
  })
  const outcomes = await Promise.allSettled([
    shared.read(query(['a']), 'r'),
    shared.read(query(['b'], ['1']), 'r')
  ])
  t.same(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected']
  )
  broken = false
  t.same(idsOf(await shared.read(query(['a']), 'r')), [['a'], []])
})

t.test('an answer that is too short is never filled up with the facts of others', async t => {
  const shared = shareReads({
    read: async ({ subjects }) => ({
      principals: subjects.slice(1).map(({ id }) => ({ status: 'member' as const, principal: { id } })),
      rows: []
    })
  })
  const outcomes = await Promise.allSettled([shared.read(query(['a']), 'r'), shared.read(query(['b']), 'r')])
  for (const outcome of outcomes) t.match(outcome, { reason: { code: 'TWR_DB_FAULT' } })
})

t.test('whoever asks when: the same facts as alone', async t => {
  const ids = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 90 })
  const request = fc.record({ subjects: ids, rows: ids, turns: fc.integer({ min: 0, max: 3 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 12 }), async requests => {
      const reader = echo()
      const shared = shareReads(reader)
      const answers = requests.map(async ({ subjects, rows, turns }) => {
        for (let i = 0; i < turns; i++) await turn()
        const sentBefore = reader.asked.length
        const asked = query(subjects, rows)
        const facts = await shared.read(asked, 'r')
        const statements = facts.rows.map(row => Number(row?.['statement']))
        return { asked, facts, fresh: statements.every(statement => statement > sentBefore) }
      })
      for (const { asked, facts, fresh } of await Promise.all(answers)) {
        t.same(idsOf(facts), asking(asked))
        t.ok(fresh, 'no statement that was sent before the question')
      }
    }),
    { numRuns: 200 }
  )
})
