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
import type { InvariantAbout, InvariantCounterexample, InvariantProof, Verdict } from './report.js'
import { searchUpdates } from './two-rows.js'

/** Told now and then how many of the principals of an invariant are done. */
export type InvariantProgress = (about: InvariantAbout, done: number, all: number) => void

/** Proves or refutes what the author demands of all rules together, by the rules as written. */
export function proveInvariants(
  bundle: Bundle,
  maxModels: number,
  onProgress: InvariantProgress = () => {}
): readonly InvariantProof[] {
  return bundle.invariants.map(invariant => {
    const about = aboutOf(invariant)
    return proveInvariant(bundle, invariant, {
      maxModels,
      onProgress: (done, all) => onProgress(about, done, all)
    })
  })
}

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

function proveInvariant(bundle: Bundle, invariant: Invariant, limits: Limits): InvariantProof {
  const { kind } = invariant
  const about = aboutOf(invariant)
  const proof = (
    verdict: Verdict,
    models: number,
    counterexample: InvariantCounterexample | null
  ): InvariantProof => ({ ...about, verdict, models, counterexample })
  const resource = resourceOf(bundle, invariant.resource)
  // safety: an invariant about nothing was refused when the policy was read; none may pass unseen
  if (resource === undefined) throw new InternalError(`an invariant about no resource: ${invariant.resource}`)
  const quest = questOf(bundle, resource, invariant)
  const search = isUpdate(quest) ? searchUpdates : searchRows
  const { found, models, complete, doubtful } = search(quest, limits)
  if (found !== null) {
    const shown = shownCase(quest, confirmed(quest, wholeCase(quest, found)))
    return kind === 'possible' ? proof('proved', models, null) : proof('refuted', models, shown)
  }
  if (!complete) return proof('not proved: too large', models, null)
  // safety: a case that only may exist refutes nothing, and proves nothing either
  if (doubtful) return proof('not proved: related rows', models, null)
  return proof(kind === 'possible' ? 'refuted' : 'proved', models, null)
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
