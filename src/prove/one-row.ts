import { countPrincipals } from '../analysis/counting.js'
import { domainsOf } from '../analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../analysis/models.js'
import { besideOf, countDistinct, listsBeside } from '../analysis/related.js'
import { evaluate } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import {
  admits,
  caseOf,
  comparisonsIn,
  demandsOf,
  type Found,
  isPossible,
  type Limits,
  meets,
  opener,
  type Quest,
  type Search,
  wholeCase
} from './quest.js'
import { keyFit, relatedSearch } from './related-rows.js'

/** Tries every principal and row of an action that is about one row, and keeps the smallest case that is wanted. */
export function searchRows(quest: Quest, { maxModels, onProgress }: Limits): Search {
  const demands = demandsOf(quest)
  const comparisons = comparisonsIn(demands)
  const { relations, keys, joins, lists, how } = relatedSearch(quest.resource, demands, comparisons)
  const space = spaceOf(domainsOf(quest.resource, [...comparisons, ...keys], joins), lists)
  const beside = besideOf(space, how)
  const models = countDistinct([space], beside, maxModels)
  if (models > maxModels) return { found: null, models, complete: false, doubtful: false }
  const principal: Record<string, Value> = {}
  const row: Record<string, Named[string]> = {}
  const [fits, opens, mayAdmit] = [keyFit(space, relations), opener(quest), admits(quest)]
  const all = Number(countPrincipals(space.domains))
  const best: { found: Found | null; doubtful: boolean } = { found: null, doubtful: false }
  for (const part of principalsOf(space, principal)) {
    const { now, used } = part
    onProgress(part.index, all)
    if (!mayAdmit({ principal, now })) continue
    const at = caseOf({ principal, now }, row)
    const visit = () => {
      if (!fits(row, used) || !opens(at) || !meets(evaluate(quest.when, at), quest.wanted)) return
      const weight = weightOf(principal, row)
      if (best.found !== null && weight >= best.found.weight) return
      const found = { principal: { ...principal }, row: { ...row }, next: null, now, weight }
      if (isPossible(quest, wholeCase(quest, found))) best.found = found
      else best.doubtful = true
    }
    forEachRow(space, part, row, visit, listsBeside(beside, principal, part))
    if (quest.anyWill && best.found !== null) break
  }
  return { ...best, models, complete: true }
}
