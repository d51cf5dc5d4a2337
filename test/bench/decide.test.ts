import t from 'tap'
import { type Ask, workload } from '../../bench/decide/workload.js'
import { CONTENDERS } from '../../bench/decide.js'
import { median, seeded } from '../../bench/random.js'
import { table } from '../../bench/table.js'
import { gateOpen } from '../../src/ir/gates.js'
import { resourceOf } from '../../src/ir/model.js'

/** Those that need no package of bench/package.json. */
const OWN = CONTENDERS.filter(({ name }) => !/casbin|Cedar/.test(name))

t.test('what the benchmark compares decides as the rules mean', async t => {
  const work = await workload(3, 400, seeded(7))
  const meant = (ask: Ask): boolean => {
    const resource = resourceOf(work.bundle, ask.type)
    return resource !== undefined && gateOpen(resource, ask.action, ask)
  }
  const allowed = work.asks.filter(meant).length
  t.ok(allowed > 100 && allowed < 300, `${allowed} of 400 are allowed`)
  t.equal(OWN.length, CONTENDERS.length - 2)
  for (const { name, prepare } of OWN) {
    const decide = await prepare(work)
    t.strictSame(
      work.asks.filter(ask => decide(ask) !== meant(ask)),
      [],
      name
    )
  }
})

t.test('the same questions in each run', async t => {
  const [one, other] = [seeded(1), seeded(1)]
  t.strictSame([one(), one(), one()], [other(), other(), other()])
  t.equal(median([5, 1, 3]), 3)
  t.equal(median([4, 1, 3, 2]), 2.5)
})

t.test('results are a table', t => {
  t.equal(
    table([
      ['', 'ns'],
      ['hand-written', '90']
    ]),
    '              ns\nhand-written  90\n'
  )
  t.end()
})
