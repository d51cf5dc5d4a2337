import type { Now } from '../backends/compiled.js'
import type { Bundle, Resource } from '../ir/model.js'
import { askGate, buildAbility, type StaticAbility } from './ability.js'
import { Answers } from './answers.js'
import type { Refusal } from './attributes.js'
import { type ColumnJudge, columnJudge } from './columns.js'
import { type Prepared, prepare } from './question.js'
import type { Answer, DecisionRequest, DenyCode } from './request.js'

/** Decides prepared requests by the compiled rules of a policy. */
export class Judge {
  readonly #bundle: Bundle
  readonly #ability: StaticAbility
  readonly #resources: ReadonlyMap<string, Resource>
  readonly #answers: Answers
  readonly #columns: ReadonlyMap<string, ColumnJudge>

  constructor(bundle: Bundle) {
    this.#bundle = bundle
    this.#answers = new Answers(bundle.revision)
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
    return this.#answers.make(false, code, reason, null)
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
    const { allowed, denied } = this.#answers.verdicts(resource, action)
    let allowedBy: string | null = null
    for (const { gate, row } of questions) {
      const { open, rule } = askGate(this.#ability, gate, { type, principal, row: rows[row], now })
      const next = gate === 'update_new'
      if (rule === null) return next ? denied.next : denied.now
      if (!open) {
        const which = next ? 'the row as it would become' : 'this row'
        const reason = `the rule ${rule} of ${type} forbids ${action} for ${which}`
        return this.#answers.make(false, 'forbidden', reason, rule)
      }
      allowedBy ??= rule
    }
    if (allowedBy === null) return this.deny('unknown_action', 'the policy has no such action')
    return allowed(allowedBy)
  }
}
