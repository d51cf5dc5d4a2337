import { InternalError } from '../errors/errors.js'
import { type Bundle, type Invariant, resourceOf } from '../ir/model.js'
import { counterexampleOf } from './counterexample.js'
import { searchRows } from './one-row.js'
import { asksRelated, confirmed, type Found, isUpdate, type Quest, questOf, type Search } from './quest.js'
import { withAnyRelated, withoutRelated } from './related-rows.js'
import type { InvariantCounterexample, InvariantProof, Verdict } from './report.js'
import { searchUpdates } from './two-rows.js'

/** Proves or refutes what the author demands of all rules together, by the rules as written. */
export function proveInvariants(bundle: Bundle, maxModels: number): readonly InvariantProof[] {
  return bundle.invariants.map(invariant => proveInvariant(bundle, invariant, maxModels))
}

function proveInvariant(bundle: Bundle, invariant: Invariant, maxModels: number): InvariantProof {
  const { kind, span } = invariant
  const proof = (
    verdict: Verdict,
    models: number,
    found: InvariantCounterexample | null
  ): InvariantProof => ({
    kind,
    resource: invariant.resource,
    action: kind === 'only_when' ? null : invariant.action,
    columns: kind === 'only_when' ? invariant.columns : [],
    at: span === undefined ? null : `${span.file}:${span.line}:${span.column}`,
    verdict,
    models,
    counterexample: found
  })
  const resource = resourceOf(bundle, invariant.resource)
  // safety: an invariant about nothing was refused when the policy was read; none may pass unseen
  if (resource === undefined) throw new InternalError(`an invariant about no resource: ${invariant.resource}`)
  const quest = questOf(bundle, resource, invariant)
  const { found, models, complete } = searchFor(quest, maxModels)
  const shown = found === null ? null : shownCase(quest, found)
  if (shown !== null)
    return kind === 'possible' ? proof('proved', models, null) : proof('refuted', models, shown)
  if (complete !== true) return proof(complete, models, null)
  return proof(kind === 'possible' ? 'refuted' : 'proved', models, null)
}

/** A search, or why it cannot tell: `complete` is true when every case was tried. */
interface Outcome extends Pick<Search, 'models'> {
  readonly found: (Found & { readonly in: Quest }) | null
  readonly complete: true | Verdict
}

function searchFor(quest: Quest, maxModels: number): Outcome {
  const search = isUpdate(quest) ? searchUpdates : searchRows
  const related = asksRelated(quest)
  const real = related ? withoutRelated(quest) : quest
  const { found, models, complete } = search(real, maxModels)
  if (found !== null) return { found: { ...found, in: real }, models, complete: true }
  if (!complete) return { found: null, models, complete: 'not proved: too large' }
  if (!related) return { found: null, models, complete: true }
  const wide = search(withAnyRelated(quest), maxModels)
  const all = models + wide.models
  // safety: a case that only may exist refutes nothing, and proves nothing either
  if (wide.found !== null) return { found: null, models: all, complete: 'not proved: related rows' }
  return { found: null, models: all, complete: wide.complete || 'not proved: too large' }
}

/** The case that was found, once it is confirmed. */
function shownCase(
  { bundle, resource }: Quest,
  { in: quest, ...found }: Found & { readonly in: Quest }
): InvariantCounterexample {
  const { changed, next, ...rest } = confirmed(quest, found)
  const related = Object.fromEntries(resource.relations.map(({ name }) => [name, []]))
  const { principal, row, now } = counterexampleOf(bundle, resource, rest, {})
  const after = next === null ? null : counterexampleOf(bundle, resource, { ...rest, row: next }, {}).row
  const whole = <T extends object>(columns: T) => ({ ...columns, ...related })
  return { principal, row: whole(row), next: after === null ? null : whole(after), changed, now }
}
