import type { ExplainedRule, Explanation, Traced, TracedTest } from './explanation.js'
import { shortValue } from './words.js'

/**
 * Why a request is denied, a line for each rule that matters: forbids that count, then the rules that could have allowed
 * it, each with its first test that is not true. Of an allowed request the rule that allows says enough.
 */
export function summaryLines({ decision, demands, columns, reason }: Explanation): readonly string[] {
  if (decision) return [reason]
  const unmet = demands.find(({ met }) => met !== true)
  if (unmet === undefined) {
    const barred = columns.find(({ permits }) => permits !== true)
    return barred?.condition == null ? [reason] : [reason, firstLine('column rule', barred.condition)]
  }
  const forbids = unmet.rules.filter(({ effect, counts }) => effect === 'forbid' && counts !== false)
  const allows = unmet.rules.filter(({ effect, counts }) => effect === 'allow' && counts !== true)
  const blocked = unmet.rules.some(({ effect, counts }) => effect === 'allow' && counts === true)
  return [reason, ...(blocked ? forbids : [...forbids, ...allows]).map(ruleLine)]
}

function ruleLine({ rule, effect, condition }: ExplainedRule): string {
  return effect === 'forbid' ? `${rule} forbids: it is ${condition.truth}` : firstLine(rule, condition)
}

function firstLine(rule: string, condition: Traced): string {
  const test = firstOf(condition)
  if (test === null) return `${rule}: it is ${condition.truth}`
  const values = Object.entries(test.values).filter(([term]) => term !== test.text)
  const known = test.why ?? values.map(([term, value]) => `${term} is ${shortValue(value)}`).join(', ')
  return `${rule}: ${test.text} is ${test.truth}${known === '' ? '' : ` (${known})`}`
}

/** The first test that keeps a condition from being true. */
function firstOf(condition: Traced): TracedTest | null {
  switch (condition.kind) {
    case 'test':
      return condition
    case 'all':
      return condition.of.filter(({ truth }) => truth !== 'true').map(firstOf)[0] ?? null
    case 'any':
      return condition.of.map(firstOf)[0] ?? null
    case 'const':
    case 'not':
    case 'related':
      return null
  }
}
