import { InternalError } from '../errors/errors.js'
import { type Bundle, type Invariant, resourceOf } from '../ir/model.js'
import { counterexampleOf } from './counterexample.js'
import { searchRows } from './one-row.js'
import {
  isPossible,
  isSought,
  isUpdate,
  type Limits,
  type Quest,
  questOf,
  type WholeCase,
  wholeCase
} from './quest.js'
import type { InvariantAbout, InvariantCounterexample, InvariantProof } from './report.js'
import { structureOf } from './structure.js'
import { searchUpdates } from './two-rows.js'

/** Told now and then how many of the principals of an invariant are done. */
export type InvariantProgress = (about: InvariantAbout, done: number, all: number) => void

/** Proves or refutes what the author demands of all rules together, by the rules as written. */
export function proveInvariants(
  bundle: Bundle,
  maxModels: number,
  onProgress: InvariantProgress = () => {}
): readonly InvariantProof[] {
  const known = new Map<string, Outcome>()
  return bundle.invariants.map(invariant => {
    const about = aboutOf(invariant)
    const resource = resourceOf(bundle, invariant.resource)
    // safety: an invariant about nothing was refused when the policy was read; none may pass unseen
    if (resource === undefined) throw new InternalError(`an invariant about no resource: ${about.resource}`)
    const { name: _, ...rest } = resource
    const { resource: __, ...demand } = invariant
    // what is demanded of resources of one structure has one answer
    const structure = structureOf({ rest, demand })
    const limits: Limits = { maxModels, onProgress: (done, all) => onProgress(about, done, all) }
    const outcome = known.get(structure) ?? decide(questOf(bundle, resource, invariant), limits)
    known.set(structure, outcome)
    return { ...about, ...outcome }
  })
}

type Outcome = Omit<InvariantProof, keyof InvariantAbout>

function aboutOf(invariant: Invariant): InvariantAbout {
  const { kind, span, resource } = invariant
  return {
    kind,
    resource,
    action: kind === 'only_when' ? null : invariant.action,
    columns: kind === 'only_when' ? invariant.columns : [],
    at: span === undefined ? null : `${span.file}:${span.line}:${span.column}`
  }
}

function decide(quest: Quest, limits: Limits): Outcome {
  const search = isUpdate(quest) ? searchUpdates : searchRows
  const { found, models, complete, doubtful } = search(quest, limits)
  const none = { models, counterexample: null }
  if (found !== null) {
    const counterexample = shownCase(quest, confirmed(quest, wholeCase(quest, found)))
    return quest.anyWill ? { verdict: 'proved', ...none } : { verdict: 'refuted', models, counterexample }
  }
  if (!complete) return { verdict: 'not proved: too large', ...none }
  // safety: a case that only may exist refutes nothing, and proves nothing either
  if (doubtful) return { verdict: 'not proved: related rows', ...none }
  return { verdict: quest.anyWill ? 'refuted' : 'proved', ...none }
}

/**
 * A case that was found, asked once more by the definition, and without changes that it does not need.
 *
 * @throws InternalError when it is not what was looked for: the search would be wrong, not the policy
 */
function confirmed(quest: Quest, found: WholeCase): WholeCase {
  const { resource } = quest
  const stands = (one: WholeCase) => isSought(quest, one) && isPossible(quest, one)
  if (!stands(found)) throw new InternalError(`the case that was found for ${resource.name} is none`)
  let least = found
  for (const column of found.changed) {
    const { row, next } = least
    if (next === null) continue
    const back = wholeCase(quest, { ...least, next: { ...next, [column]: row[column] ?? null } })
    if (stands(back)) least = back
  }
  return least
}

/** The case as it is shown. */
function shownCase({ bundle, resource }: Quest, found: WholeCase): InvariantCounterexample {
  const { next, changed } = found
  const { principal, row, now } = counterexampleOf(bundle, resource, found, {})
  const after = next === null ? null : counterexampleOf(bundle, resource, { ...found, row: next }, {}).row
  return { principal, row, next: after, changed, now }
}
