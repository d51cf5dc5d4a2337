import fc from 'fast-check'
import t from 'tap'
import { mayBe } from '../../src/analysis/possible.js'
import type { Wanted } from '../../src/analysis/witnesses.js'
import { evaluate, type Truth, type Values } from '../../src/ir/evaluate.js'
import { GATES, gateCondition } from '../../src/ir/gates.js'
import type { Bundle } from '../../src/ir/model.js'
import { canonical } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

function canonicalOf(
  declared: Bundle['principal'] | Bundle['resources'][number]['columns'],
  given: object
): Values {
  return Object.fromEntries(
    declared.map(({ name, type }) => {
      const value = canonical(type, (given as Record<string, unknown>)[name])
      return [name, value.ok ? value.value : null]
    })
  )
}

const WANTED = (truth: Truth): readonly Wanted[] =>
  truth === null ? ['not true', 'not false'] : truth ? ['true', 'not false'] : ['false', 'not true']

t.test('what a condition is for some row, it may be; and some principals are ruled out', t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  let [asked, ruledOut] = [0, 0]
  for (let n = 0; n < 60; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    const resource = bundle?.resources.find(({ name }) => name === 'thing')
    if (bundle === null || resource === undefined) continue
    for (const [who, what] of fc.sample(fc.tuple(principal, row), { seed: SEED + n, numRuns: 40 })) {
      const id = { id: '00000000-0000-0000-0000-00000000000b' }
      const at = {
        principal: canonicalOf(bundle.principal, who),
        row: { ...canonicalOf(resource.columns, { ...what, ...id }), parent: [], links: [] },
        now: 1
      }
      for (const gate of GATES) {
        const condition = gateCondition(resource, gate)
        const truth = evaluate(condition, at)
        for (const wanted of WANTED(truth)) {
          asked++
          if (!mayBe(condition, wanted, at)) t.fail(`seed ${SEED + n} ${gate}: ${truth} is not ${wanted}`)
        }
        if (!mayBe(condition, 'true', at)) ruledOut++
      }
    }
  }
  t.ok(asked > 1_000, `${asked} conditions`)
  t.ok(ruledOut > 100, `${ruledOut} of them can never be true for their principal`)
  t.end()
})
