import type { Resource } from '../ir/model.js'
import type { Answer, ReasonCode } from './request.js'

/** What can be said to the questions of one action on one resource type, made once: most answers are one of these. */
export interface Verdicts {
  allowed(rule: string): Answer
  /** No rule allows it, for the row as it is or as it would become. */
  readonly denied: { readonly now: Answer; readonly next: Answer }
}

/** Makes the answers of one policy. Those that are kept are frozen. */
export class Answers {
  readonly #revision: string
  readonly #known = new Map<Resource, Map<string, Verdicts>>()

  constructor(revision: string) {
    this.#revision = revision
  }

  make(decision: boolean, code: ReasonCode, reason: string, rule: string | null): Answer {
    return { decision, context: { reason, code, rule, revision: this.#revision } }
  }

  /** @param action one that the policy has, so that there are only so many */
  verdicts(resource: Resource, action: string): Verdicts {
    let ofType = this.#known.get(resource)
    if (ofType === undefined) {
      ofType = new Map()
      this.#known.set(resource, ofType)
    }
    let found = ofType.get(action)
    if (found === undefined) {
      found = this.#verdicts(resource.name, action)
      ofType.set(action, found)
    }
    return found
  }

  #verdicts(type: string, action: string): Verdicts {
    const kept = (decision: boolean, code: ReasonCode, reason: string, rule: string | null): Answer => {
      const answer = this.make(decision, code, reason, rule)
      Object.freeze(answer.context)
      return Object.freeze(answer)
    }
    const none = (row: string) =>
      kept(false, 'no_rule', `no rule allows ${action} on ${type} for ${row}`, null)
    const allowed = new Map<string, Answer>()
    return {
      denied: { now: none('this row'), next: none('the row as it would become') },
      allowed(rule) {
        const known =
          allowed.get(rule) ?? kept(true, 'allowed', `the rule ${rule} of ${type} allows ${action}`, rule)
        allowed.set(rule, known)
        return known
      }
    }
  }
}
