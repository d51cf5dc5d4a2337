import { countPrincipals } from '../analysis/counting.js'
import { domainsOf } from '../analysis/domain.js'
import { forEachRow, principalsOf, spaceOf } from '../analysis/models.js'
import { countDistinct, listsBeside } from '../analysis/related.js'
import { evaluate } from '../ir/evaluate.js'
import type { Value } from '../ir/values.js'
import { type Named, weightOf } from './counterexample.js'
import {
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
  const related = relatedSearch(quest.resource, demands, comparisons)
  const space = spaceOf(
    domainsOf(quest.resource, [...comparisons, ...related.keys], related.joins),
    related.lists
  )
  const principal: Record<string, Value> = {}
  const howFor = related.howFor(principal)
  const models = countDistinct(space, principal, howFor, maxModels)
  if (models > maxModels) return { found: null, models, complete: false, doubtful: false }
  const row: Record<string, Named[string]> = {}
  const fits = keyFit(space, related.relations)
  const opens = opener(quest)
  const all = Number(countPrincipals(space.domains))
  const best: { found: Found | null; doubtful: boolean } = { found: null, doubtful: false }
  let done = 0
  for (const part of principalsOf(space, principal)) {
    const { now, used } = part
    const at = caseOf({ principal, now }, row)
    const visit = () => {
      const weight = weightOf(principal, row)
      if (best.found !== null && weight >= best.found.weight) return
      if (!fits(row, used) || !opens(at) || !meets(evaluate(quest.when, at), quest.wanted)) return
      const found = { principal: { ...principal }, row: { ...row }, next: null, now, weight }
      if (isPossible(quest, wholeCase(quest, found))) best.found = found
      else best.doubtful = true
    }
    forEachRow(space, part, row, visit, listsBeside(space, part, howFor(part)))
    onProgress(++done, all)
  }
  return { ...best, models, complete: true }
}
