import t from 'tap'
import { measure } from '../../bench/rls/measure.js'
import { rlsBench } from '../../bench/rls.js'

t.test(
  'statements under row-level security find what the same by hand finds, and both are timed',
  async t => {
    const told: string[] = []
    const results = await rlsBench({
      rows: [10_000],
      contexts: ['signed'],
      rounds: 1,
      only: '',
      designs: false,
      tell: line => void told.push(line)
    })
    const names = new Set(results.map(({ name }) => name))
    for (const name of [
      'point',
      'list of arrays, deep',
      'list of shares, first',
      'count',
      'join',
      'delete'
    ]) {
      t.equal(results.filter(one => one.name === name).length, 3, `${name}: each of three tenants`)
    }
    t.ok(names.has('point, array of 10000') && names.has('point, 10000 shares'))
    t.ok(results.every(({ ms, byHandMs, ratio }) => ms > 0 && byHandMs > 0 && ratio > 0))
    t.ok(told.includes('10000 rows, signed: the big tenant'))
  }
)

t.test('each design of a statement finds what the same by hand finds', async t => {
  for (const context of ['plain', 'signed'] as const) {
    const results = await rlsBench({
      rows: [10_000],
      contexts: [context],
      rounds: 1,
      only: '',
      designs: true,
      tell: () => {}
    })
    t.ok(results.filter(({ name, tenant }) => name.startsWith('join, ') && tenant === 'small').length >= 3)
    t.ok(results.filter(({ name, tenant }) => name.startsWith('update, ') && tenant === 'big').length >= 3)
  }
})

t.test('what finds other rows, or none, is not timed', async t => {
  const one = { name: 'point', tenant: 'big' } as const
  const finds = (rows: readonly string[]) => async () => rows
  await t.rejects(measure({ ...one, ours: finds(['a', 'b']), byHand: finds(['a']) }, 1), {
    message: /a,b is not a/
  })
  await t.rejects(measure({ ...one, ours: finds([]), byHand: finds([]) }, 1), { message: /finds nothing/ })
  await t.rejects(measure({ ...one, ours: finds(['0 rows']), byHand: finds(['0 rows']) }, 1))
  const before: [number, number][] = []
  const took = await measure(
    {
      ...one,
      ours: finds(['a']),
      byHand: finds(['a']),
      before: async (from, to) => void before.push([from, to])
    },
    3
  )
  t.match(took, { name: 'point', tenant: 'big', ratio: Number })
  t.strictSame(before, [
    [0, 7],
    [8, 108],
    [108, 208],
    [208, 308]
  ])
})
