import type { Bundle } from '../ir/model.js'
import { type ExplainOptions, explain } from './explain/explain.js'
import type { Explanation } from './explain/explanation.js'
import { nearestSearch } from './explain/nearest.js'
import { Judge } from './judge.js'
import { type AbilityRow, abilityFor, abilityRow, type RowAbility } from './portable.js'
import type { Answer, DecisionRequest, DenyCode } from './request.js'

/** Decides requests by one policy. Holds no state beside the policy and does no I/O. */
export interface Engine {
  readonly bundle: Bundle
  readonly revision: string
  /**
   * The decision on one request, from the attributes that it carries. Never throws for what a request holds: whatever
   * is unknown or is not of its declared type denies and says so.
   */
  decide(request: DecisionRequest): Answer
  /**
   * The portable rules of one principal as a CASL ability, for application code; its `portableRules` go to a browser.
   * Ask it with a row of `row`. It knows gates: an update needs `update` of the row as it is and `update_new` of the
   * row as it would become; column rules are not part of it.
   *
   * @param attributes the principal's attributes, id included, as a request carries them
   * @throws RequestError TWR_REQUEST_INVALID when one is not of its declared type
   */
  abilityFor(attributes: Readonly<Record<string, unknown>>): RowAbility
  /** @throws RequestError TWR_REQUEST_INVALID when the type is unknown or a column is not of its declared type */
  row(type: string, attributes: Readonly<Record<string, unknown>>): AbilityRow
  /** A deny for a reason that was found before the rules were asked. */
  deny(code: DenyCode, reason: string): Answer
  /**
   * Why `decide` decides a request as it does: each rule with the truth of each of its parts and the values they
   * compared, and for a deny the smallest change that would allow it. Much slower than a decision.
   *
   * @throws InternalError when the explanation does not come to the decision
   */
  explain(request: DecisionRequest, options?: ExplainOptions): Explanation
}

/** What an engine may be given. */
export interface EngineOptions {
  /** The time of a decision in microseconds since 1970, for rules that read `now`. By default the system's clock. */
  readonly clock?: () => number
}

/** Compiles the rules of a bundle into an engine. */
export function createEngine(
  bundle: Bundle,
  { clock = () => Date.now() * 1000 }: EngineOptions = {}
): Engine {
  const judge = new Judge(bundle)
  const nearest = nearestSearch(bundle, (request, now) => judge.decide(judge.prepare(request), now).decision)
  return {
    bundle,
    revision: bundle.revision,
    deny: (code, reason) => judge.deny(code, reason),
    abilityFor: attributes => abilityFor(bundle, attributes, clock()),
    row: (type, attributes) => abilityRow(bundle, type, attributes),
    decide: request => judge.decide(judge.prepare(request), clock()),
    explain: (request, options = {}) => {
      const now = clock()
      const prepared = judge.prepare(request)
      const answer = judge.decide(prepared, now)
      return explain({ bundle, request, prepared, answer, now, nearest }, options)
    }
  }
}
