import fc from 'fast-check'
import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import type { Explanation } from '../../src/engine/explain/explanation.js'
import type { DecisionRequest } from '../../src/engine/request.js'
import { ACTIONS, type Bundle } from '../../src/ir/model.js'
import { loadTexts } from '../../src/policy/load.js'
import {
  linkRow,
  PARENTS,
  type Principal,
  parentRow,
  policyText,
  principal,
  type Row,
  row
} from '../agreement/arbitraries.js'
import { applySteps } from './apply-steps.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const WANTED = Number(process.env['TWINRULE_EXPLANATIONS'] ?? 100_000)
const ROWS = 12
const PRINCIPALS = 8
const NOW = Date.parse('2026-06-01T00:00:00Z') * 1000

const uuidOf = (n: number): string => `10000000-0000-0000-0000-${String(n).padStart(12, '0')}`

/** Rows with the rows that are related to them. */
function rowsFor(seed: number): readonly Record<string, unknown>[] {
  const parents = fc
    .sample(parentRow, { seed, numRuns: PARENTS.length })
    .map((one, i) => ({ ...one, id: PARENTS[i] }))
  const links = fc.sample(linkRow, { seed, numRuns: ROWS })
  return fc.sample(row, { seed, numRuns: ROWS }).map((one, i) => {
    const id = uuidOf(i)
    const own = links.filter(({ thing }) => thing % ROWS === i)
    return {
      ...one,
      id,
      parent: parents.filter(parent => parent.id === one.p),
      links: own.map(({ thing: _, ...link }) => ({ ...link, thing_id: id }))
    }
  })
}

function requestsFor(seed: number): readonly DecisionRequest[] {
  const rows = rowsFor(seed)
  return fc.sample(principal, { seed, numRuns: PRINCIPALS }).flatMap((who: Principal) =>
    rows.flatMap((properties, i) =>
      ACTIONS.map(name => {
        const { id: _, links, ...other } = rows[(i + 5) % ROWS] as unknown as Row & { links: unknown }
        // every other update changes a few columns, the rest all of them
        const few = { u: other.u, t: other.t, b: other.b }
        const changes = i % 2 === 0 ? few : other
        return {
          subject: { type: 'user', id: who.id as string, properties: who },
          action: { name, ...(name === 'update' ? { properties: { changes } } : {}) },
          resource: { type: 'thing', id: properties['id'] as string, properties }
        }
      })
    )
  )
}

/** The random policies that load, one after the other. */
function* bundles(): Generator<{ readonly bundle: Bundle; readonly text: string; readonly seed: number }> {
  for (let seed = SEED; ; seed++) {
    const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    if (bundle !== null) yield { bundle, text, seed }
  }
}

t.test('an explanation comes to the decision, and the nearest grant allows', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const counts: Record<string, number> = {}
  let explained = 0
  for (const { bundle, text, seed } of bundles()) {
    const engine = createEngine(bundle, { clock: () => NOW })
    for (const request of requestsFor(seed)) {
      const explanation = engine.explain(request, { maxSteps: 2, maxTries: 400 })
      const { decision, context } = engine.decide(request)
      const differs =
        decision !== explanation.decision || context.code !== explanation.code || !holds(explanation)
      const failing = grantsThatFail(explanation, request, engine.decide)
      if (differs || failing.length > 0) {
        t.fail(`seed ${seed}`, { request, explanation, failing, text })
        return
      }
      counts[explanation.nearest.outcome] = (counts[explanation.nearest.outcome] ?? 0) + 1
      explained++
    }
    if (explained >= WANTED) break
  }
  t.comment(JSON.stringify(counts))
  t.ok(explained >= WANTED, `${explained} decisions were explained`)
  t.ok((counts['found'] ?? 0) > explained / 5, `${counts['found']} grants were applied`)
})

/** Whether what an explanation says of its parts comes to its decision. */
function holds({ demands, columns, decision, principal: who }: Explanation): boolean {
  const demanded = demands.every(({ met, rules }) => {
    const allows = rules.some(({ effect, condition }) => effect === 'allow' && condition.truth === 'true')
    const forbids = rules.some(({ effect, condition }) => effect === 'forbid' && condition.truth !== 'false')
    return met === (allows && !forbids) && met
  })
  return decision === (who?.['id'] != null && demanded && columns.every(({ permits }) => permits))
}

function grantsThatFail(
  { nearest }: Explanation,
  request: DecisionRequest,
  decide: (request: DecisionRequest) => { readonly decision: boolean }
) {
  if (nearest.outcome !== 'found') return []
  const keys = { p: ['parent'], id: ['links'] }
  return nearest.grants.filter(steps => !decide(applySteps(request, steps, keys)).decision)
}
