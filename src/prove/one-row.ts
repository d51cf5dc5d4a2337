import { comparisonsOf } from '../analysis/comparisons.js'
import { domainsOf } from '../analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../analysis/models.js'
import { evaluate } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import { weightOf } from './counterexample.js'
import { caseOf, conditionsOf, type Found, opens, type Quest, type Search } from './quest.js'

/** Tries every principal and row of an action that is about one row, and keeps the smallest case that is wanted. */
export function searchRows(quest: Quest, maxModels: number): Search {
  const conditions = [...conditionsOf(quest), quest.when]
  const space = spaceOf(domainsOf(quest.resource, conditions.flatMap(comparisonsOf)))
  const models = Number(space.size)
  if (models > maxModels) return { found: null, models, complete: false }
  const principal: Record<string, Value> = {}
  const row: Record<string, Value> = {}
  const best: { found: Found | null } = { found: null }
  for (const { now, used } of principalsOf(space, principal)) {
    const at = caseOf({ principal, now }, row)
    forEachRow(space, { now, used }, row, () => {
      const weight = weightOf(principal, row)
      if (best.found !== null && weight >= best.found.weight) return
      if (!opens(quest, undefined, at) || !quest.wanted(evaluate(quest.when, at))) return
      best.found = { principal: { ...principal }, row: { ...row }, next: null, now, weight }
    })
  }
  return { found: best.found, models, complete: true }
}
