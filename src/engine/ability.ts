import { Ability } from '@casl/ability'
import { compilePredicate, type Predicate } from '../backends/compiled.js'
import type { Values } from '../ir/evaluate.js'
import { GATES, type Gate, gateRules, ruleForm } from '../ir/gates.js'
import type { Bundle } from '../ir/model.js'

/** What the ability is asked about: a principal and a row of one resource type, both of canonical values. */
export interface Question {
  readonly type: string
  readonly principal: Values
  readonly row: Values
}

/** The CASL ability of a policy: one for all principals, because they are part of the question. */
export type StaticAbility = Ability<[Gate, Question | string], Predicate>

/**
 * Builds the one ability behind every decision. Its conditions are the compiled rules, so that CASL finds the rules of
 * an action and type and the compiled functions judge them; nothing is kept per principal or tenant.
 */
export function buildAbility(bundle: Bundle): StaticAbility {
  const rules = bundle.resources.flatMap(resource =>
    GATES.flatMap(gate =>
      gateRules(resource, gate).map(rule => ({
        action: gate,
        subject: resource.name,
        conditions: compilePredicate(ruleForm(resource, gate, rule)),
        reason: rule.id
      }))
    )
  )
  // CASL asks the last rule first; reversed, the first id that allows is the one that is named
  return new Ability<[Gate, Question | string], Predicate>(rules.reverse(), {
    conditionsMatcher: predicate => question =>
      predicate((question as Question).principal, (question as Question).row),
    // safety: the type is the one that was asked for, never a property of the row
    detectSubjectType: question => (question as Question).type
  })
}

/** The id of the rule that opens a gate, or null when it stays closed. */
export function openedBy(ability: StaticAbility, gate: Gate, question: Question): string | null {
  // safety: CASL's `can` without a subject would ask "is there any rule"; a question always carries its row
  return ability.relevantRuleFor(gate, question)?.reason ?? null
}
