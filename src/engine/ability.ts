import { Ability } from '@casl/ability'
import { fastPredicate } from '../backends/codegen.js'
import type { Now, Predicate } from '../backends/compiled.js'
import type { Values } from '../ir/evaluate.js'
import { type Gate, gateForbids, gateRules, gatesOf, ruleForm } from '../ir/gates.js'
import type { Bundle } from '../ir/model.js'

/** What the ability is asked about: a principal and a row of one resource type, of canonical values, at a time. */
export interface Question {
  readonly type: string
  readonly principal: Values
  readonly row: Values
  readonly now: Now
}

/** The CASL ability of a policy: one for all principals, because they are part of the question. */
export type StaticAbility = Ability<[Gate, Question | string], Predicate>

/**
 * Builds the one ability behind every decision. Its conditions are the compiled rules, so that CASL finds the rules of
 * an action and type and the compiled functions judge them; nothing is kept per principal or tenant.
 */
export function buildAbility(bundle: Bundle): StaticAbility {
  const rules = bundle.resources.flatMap(resource =>
    gatesOf(bundle).flatMap(gate => {
      const about = { action: gate, subject: resource.name }
      const forbids = gateForbids(resource, gate).map(({ rule, cleared }) => {
        const isCleared = fastPredicate(cleared)
        // safety: a forbid counts unless it is definitely false
        const conditions: Predicate = (principal, row, now) => !isCleared(principal, row, now)
        return { ...about, inverted: true, conditions, reason: rule.id }
      })
      const allows = gateRules(resource, gate).map(rule => {
        return { ...about, conditions: fastPredicate(ruleForm(resource, gate, rule)), reason: rule.id }
      })
      return [...forbids, ...allows]
    })
  )
  // CASL asks the last rule first: reversed, forbids come before allows and the first id is the one that is named
  return new Ability<[Gate, Question | string], Predicate>(rules.reverse(), {
    conditionsMatcher: predicate => question => {
      const { principal, row, now } = question as Question
      return predicate(principal, row, now)
    },
    // safety: the type is the one that was asked for, never a property of the row
    detectSubjectType: question => (question as Question).type
  })
}

/** Whether a gate is open, and the rule that decided: the allow that opens it or the forbid that closes it. */
export function askGate(
  ability: StaticAbility,
  gate: Gate,
  question: Question
): { readonly open: boolean; readonly rule: string | null } {
  // safety: CASL's `can` without a subject would ask "is there any rule"; a question always carries its row
  const rule = ability.relevantRuleFor(gate, question)
  return { open: rule !== null && !rule.inverted, rule: rule?.reason ?? null }
}
