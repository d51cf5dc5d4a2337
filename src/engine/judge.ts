import type { Now } from '../backends/compiled.js'
import type { Bundle, Resource } from '../ir/model.js'
import { askGate, buildAbility, type StaticAbility } from './ability.js'
import type { Refusal } from './attributes.js'
import { type ColumnJudge, columnJudge } from './columns.js'
import { type Prepared, prepare } from './question.js'
import type { Answer, DecisionRequest, DenyCode, ReasonCode } from './request.js'

/** Decides prepared requests by the compiled rules of a policy. */
export class Judge {
  readonly #bundle: Bundle
  readonly #ability: StaticAbility
  readonly #resources: ReadonlyMap<string, Resource>
  readonly #columns: ReadonlyMap<string, ColumnJudge>

  constructor(bundle: Bundle) {
    this.#bundle = bundle
    this.#ability = buildAbility(bundle)
    this.#resources = new Map(bundle.resources.map(resource => [resource.name, resource]))
    this.#columns = new Map(bundle.resources.map(resource => [resource.name, columnJudge(resource)]))
  }

  /** A request made ready, or why it is denied before any rule is asked. */
  prepare(request: DecisionRequest): Prepared | Refusal {
    return prepare(this.#bundle, this.#resources, request)
  }

  /** A deny for a reason that was found before the rules were asked. */
  deny(code: DenyCode, reason: string): Answer {
    return this.#answer(false, code, reason, null)
  }

  /** The decision at a time. */
  decide(prepared: Prepared | Refusal, now: Now): Answer {
    if ('code' in prepared) return this.deny(prepared.code, prepared.reason)
    const verdict = this.#askGates(prepared, now)
    if (!verdict.decision || !prepared.changes) return verdict
    const { resource, principal, rows } = prepared
    const barred = this.#columns.get(resource.name)?.(principal, rows.old, rows.new, now) ?? null
    return barred === null ? verdict : this.deny(barred.code, barred.reason)
  }

  #askGates({ action, resource, questions, principal, rows }: Prepared, now: Now): Answer {
    const type = resource.name
    let allowedBy: string | null = null
    for (const { gate, row } of questions) {
      const { open, rule } = askGate(this.#ability, gate, { type, principal, row: rows[row], now })
      const which = gate === 'update_new' ? 'the row as it would become' : 'this row'
      if (rule === null) return this.deny('no_rule', `no rule allows ${action} on ${type} for ${which}`)
      if (!open) {
        const reason = `the rule ${rule} of ${type} forbids ${action} for ${which}`
        return this.#answer(false, 'forbidden', reason, rule)
      }
      allowedBy ??= rule
    }
    if (allowedBy === null) return this.deny('unknown_action', 'the policy has no such action')
    return this.#answer(true, 'allowed', `the rule ${allowedBy} of ${type} allows ${action}`, allowedBy)
  }

  #answer(decision: boolean, code: ReasonCode, reason: string, rule: string | null): Answer {
    return { decision, context: { reason, code, rule, revision: this.#bundle.revision } }
  }
}
