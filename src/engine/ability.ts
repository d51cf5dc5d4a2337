import { Ability } from '@casl/ability'
import { fastPredicate } from '../backends/codegen.js'
import type { Now, Predicate } from '../backends/compiled.js'
import { comparable } from '../ir/comparable.js'
import type { Values } from '../ir/evaluate.js'
import { allowForm, type Gate, gateForbids, gateRules, gatesOf, ruleForm } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'

/** What the ability is asked about: a principal and a row of one resource type, of canonical values, at a time. */
export interface Question {
  readonly type: string
  readonly principal: Values
  readonly row: Values
  readonly now: Now
}

/** The CASL ability of a policy: one for all principals, because they are part of the question. */
export type StaticAbility = Ability<[Gate, Question | string], MakePredicate>

/** CASL asks for the matcher of a rule when it first needs it, so no code is made for what nobody asks. */
type MakePredicate = () => Predicate

type CaslRule = StaticAbility['rules'][number]

/** What CASL is given of a gate: a rule for each forbid, and one for all that allow. */
interface GateRule extends CaslRule {
  /** The id of the policy's rule that decides when this one does, null when none would. */
  readonly decidedBy: (question: Question) => string | null
}

/**
 * Builds the one ability behind every decision. Its conditions are the compiled rules, so that CASL finds the rules of
 * an action and type and the compiled functions judge them; nothing is kept per principal or tenant. Types with the same
 * rules are one to it, so that a thousand of them look at no more memory than one.
 */
export function buildAbility(bundle: Bundle): StaticAbility {
  const asked = typesAsked(bundle)
  const distinct = bundle.resources.filter(({ name }) => asked.get(name) === name)
  const rules = distinct.flatMap(resource =>
    gatesOf(bundle).flatMap(gate => [...forbidsOf(resource, gate), ...allowOf(resource, gate)])
  )
  // CASL asks the last rule first: reversed, forbids come before what allows, and the first of them is the one named
  return new Ability<[Gate, Question | string], MakePredicate>(rules.reverse(), {
    conditionsMatcher: make => {
      const predicate = make()
      return question => {
        const { principal, row, now } = question as Question
        return predicate(principal, row, now)
      }
    },
    // safety: the type is the one that was asked for, never a property of the row; an unknown one has no rules
    detectSubjectType: question => {
      const { type } = question as Question
      return asked.get(type) ?? type
    }
  })
}

/** For each type the one whose rules are asked: the first with rules that differ from its own in nothing but place. */
function typesAsked({ resources }: Bundle): ReadonlyMap<string, string> {
  const first = new Map<string, string>()
  return new Map(
    resources.map(({ name, rules }) => {
      const text = JSON.stringify(rules, (key, value) => (key === 'span' ? undefined : comparable(value)))
      const asked = first.get(text) ?? name
      first.set(text, asked)
      return [name, asked]
    })
  )
}

function forbidsOf(resource: Resource, gate: Gate): readonly GateRule[] {
  return gateForbids(resource, gate).map(({ rule, cleared }) => {
    const conditions: MakePredicate = () => {
      const isCleared = fastPredicate(cleared)
      // safety: a forbid counts unless it is definitely false
      return (principal, row, now) => !isCleared(principal, row, now)
    }
    return { action: gate, subject: resource.name, inverted: true, conditions, decidedBy: () => rule.id }
  })
}

/** One rule for all that allow: who is denied is denied by one test, and only who is allowed is told by which rule. */
function allowOf(resource: Resource, gate: Gate): readonly GateRule[] {
  const rules = gateRules(resource, gate)
  if (rules.length === 0) return []
  const conditions: MakePredicate = () => fastPredicate(allowForm(resource, gate))
  let named: readonly { readonly id: string; readonly allows: Predicate }[] | null = null
  const decidedBy = ({ principal, row, now }: Question): string | null => {
    named ??= rules.map(rule => ({ id: rule.id, allows: fastPredicate(ruleForm(resource, gate, rule)) }))
    for (const { id, allows } of named) if (allows(principal, row, now)) return id
    return null
  }
  return [{ action: gate, subject: resource.name, conditions, decidedBy }]
}

/** Whether a gate is open, and the rule that decided: the allow that opens it or the forbid that closes it. */
export function askGate(
  ability: StaticAbility,
  gate: Gate,
  question: Question
): { readonly open: boolean; readonly rule: string | null } {
  // safety: CASL's `can` without a subject would ask "is there any rule"; a question always carries its row
  const rule = ability.relevantRuleFor(gate, question)
  if (rule === null) return { open: false, rule: null }
  const decidedBy = (rule.origin as GateRule).decidedBy(question)
  // safety: what no single rule allows is not allowed, whatever all of them together seem to say
  return { open: !rule.inverted && decidedBy !== null, rule: decidedBy }
}
