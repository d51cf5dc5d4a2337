import { createMongoAbility, type MongoAbility } from '@casl/ability'
import type { Domain } from '../analysis/domain.js'
import { askGate, type StaticAbility } from '../engine/ability.js'
import type { Values } from '../ir/evaluate.js'
import { type Gate, gateOpener, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { elementsOf } from './lists.js'
import { type EmittedRule, unportable } from './portable.js'
import { sqlTruth } from './sql-eval.js'
import { guardAlone, isNarrowed, type SqlExpression, unentered } from './sql-expression.js'
import type { DatabaseRole } from './table-security.js'

/** Whether a gate is open for a row, for the principal that was given before. */
export type Opens = (row: Values) => boolean

/** A time, microseconds since 1970; null where no condition reads it. */
export type Now = number | bigint | null

/** One way to decide, compared with the reference. */
export interface Side {
  readonly name: string
  /** It narrows what another side decides, so a case names it only where it is wrong itself. */
  readonly beside?: boolean
  readonly opensFor: (principal: Values, now: Now) => Opens
  /**
   * Whether it must decide as the rule does for this principal. Where it need not, it still must allow nothing that
   * the rule denies: a principal may be in a role that was not made for it.
   */
  readonly mustEqual: (principal: Values) => boolean
}

/** A gate of a resource, and where to say what no comparison can show. */
export interface GateQuestion {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly gate: Gate
  readonly domains: readonly Domain[]
  readonly report: (finding: string) => void
}

/** The portable rules of a principal, as `caslRules` gives them. */
export type PortableRules = (bundle: Bundle, principal: Values, now: Now) => readonly EmittedRule[]

const always = (): boolean => true

/** The definition: the reference interpreter on the rules as written. */
export function reference({ resource, gate }: GateQuestion): (principal: Values, now: Now) => Opens {
  const opens = gateOpener(resource, gate)
  return (principal, now) => {
    const at = kept((row: Values) => (now === null ? { principal, row } : { principal, row, now }))
    return row => opens(at(row))
  }
}

/** Stock CASL for one principal. */
export interface PortableAbility {
  readonly rules: readonly EmittedRule[]
  readonly ability: MongoAbility
}

/** Someone who was asked about, and the portable rules of that principal. */
export interface Asked {
  readonly principal: Values
  readonly now: Now
  readonly rules: readonly EmittedRule[]
}

/** The ability of a principal at a time. */
export type AbilityFor = (principal: Values, now: Now) => PortableAbility

/** The abilities of one resource. */
export interface PortableAbilities {
  readonly abilityFor: AbilityFor
  /** Everyone who was asked about, or null when there were too many to keep. */
  readonly asked: () => readonly Asked[] | null
}

/** Abilities of one resource that are kept, because each gate asks for much the same principals. */
const KEPT = 1_000

/** Builds the ability of a principal, or finds it again. */
export function portableAbilities(
  bundle: Bundle,
  resource: Resource,
  rulesFor: PortableRules
): PortableAbilities {
  const own = rulesOfOne(bundle, resource, rulesFor)
  const kept = new Map<string, PortableAbility & Asked>()
  let all = true
  return {
    asked: () => (all ? [...kept.values()] : null),
    abilityFor: (principal, now) => {
      const key = textOf({ ...principal, now })
      const known = kept.get(key)
      if (known !== undefined) return known
      const rules = own(principal, now)
      const ability: MongoAbility = createMongoAbility(rules as unknown as MongoAbility['rules'], {
        detectSubjectType: () => resource.name
      })
      const made = { rules, ability, principal: { ...principal }, now }
      if (kept.size < KEPT) kept.set(key, made)
      else all = false
      return made
    }
  }
}

/** The portable rules of one resource. Those of others have another subject: an ability never asks them for this one. */
export function rulesOfOne(
  bundle: Bundle,
  resource: Resource,
  rulesFor: PortableRules
): (principal: Values, now: Now) => readonly EmittedRule[] {
  const alone: Bundle = Object.freeze({ ...bundle, resources: [resource] })
  return (principal, now) => rulesFor(alone, principal, now)
}

/** Portable rules as text, without the name of their resource. */
export function textOfRules(rules: readonly EmittedRule[], { name }: Resource): string {
  return textOf(rules.map(rule => (rule['subject'] === name ? { ...rule, subject: null } : rule)))
}

/** JSON has neither wide integers nor infinity. */
function textOf(values: unknown): string {
  return JSON.stringify(values, (_, value) =>
    typeof value === 'bigint' || typeof value === 'number' ? `number ${value}` : value
  )
}

/** CASL's name of a gate: an added action goes by its own name. */
function actionOf(gate: Gate): string {
  return gate.replace(/^action:/, '')
}

/** The rules that CASL may take for those of a gate: all but those of other gates. */
export function rulesOfGate(
  rules: readonly EmittedRule[],
  { bundle, gate }: Pick<GateQuestion, 'bundle' | 'gate'>
): readonly EmittedRule[] {
  const others = gatesOf(bundle)
    .filter(one => one !== gate)
    .map(actionOf)
  return rules.filter(rule => !others.includes(String(rule['action'])))
}

/** Stock CASL with the portable rules. */
export function stockCasl(
  { bundle, resource, gate, domains, report }: GateQuestion,
  abilityFor: AbilityFor
): Side {
  const action = actionOf(gate)
  const about = { resource, actions: gatesOf(bundle).map(actionOf), elements: elementsOf(resource, gate) }
  return {
    name: 'CASL',
    mustEqual: always,
    opensFor: (principal, now) => {
      const { rules, ability } = abilityFor(principal, now)
      const own = rulesOfGate(rules, { bundle, gate })
      for (const finding of unportable(own, about, domains)) report(finding)
      return row => ability.can(action, row)
    }
  }
}

/** The compiled rules behind the decision engine. */
export function compiled({ resource, gate }: GateQuestion, ability: StaticAbility): Side {
  return {
    name: 'compiled',
    mustEqual: always,
    opensFor: (principal, now) => {
      const question = kept((row: Values) => ({ type: resource.name, principal, row, now }))
      return row => askGate(ability, gate, question(row)).open
    }
  }
}

/** Keeps what was last made: the models of a gate come as one row that changes. */
function kept<T>(make: (row: Values) => T): (row: Values) => T {
  let last: { readonly row: Values; readonly made: T } | null = null
  return row => {
    if (last?.row !== row) last = { row, made: make(row) }
    return last.made
  }
}

/** For which principals the SQL of a role must decide as the rule does: those whom the role was made for. */
export function madeFor(
  { domains }: Pick<GateQuestion, 'domains'>,
  { flag }: DatabaseRole,
  roles: readonly DatabaseRole[]
): (principal: Values) => boolean {
  const flags = roles.flatMap(one => (one.flag === null ? [] : [one.flag]))
  const read = flags.filter(name =>
    domains.some(({ variables }) => variables.some(one => one.side === 'principal' && one.name === name))
  )
  // a flag that nothing reads may have any value, so the principal may well be one of those
  return principal =>
    flag === null
      ? read.every(name => principal[name] !== true)
      : !read.includes(flag) || principal[flag] === true
}

/** The SQL of a role: as it is, and as the role sees it, if that differs. */
export interface RoleExpression {
  /** Where it is asked: in a policy, or by the statement of a list. */
  readonly of?: 'list'
  readonly role: DatabaseRole
  readonly expression: SqlExpression
  readonly asSeen: SqlExpression | null
}

/** Every expression of a role. */
export function expressionsOf({ expression, asSeen }: RoleExpression): readonly SqlExpression[] {
  return asSeen === null ? [expression] : [expression, asSeen]
}

/** The SQL of one role. */
export function database(one: RoleExpression, mustEqual: (principal: Values) => boolean): readonly Side[] {
  return expressionsOf(one).flatMap((expression, i) => {
    const name = `${one.of ?? 'SQL'} ${one.role.role}${i === 0 ? '' : ', as seen'}`
    const sides = [sqlSide(name, expression, mustEqual), ...weaker(name, expression, one.role, mustEqual)]
    return one.of === 'list' ? sides.map(side => ({ ...side, beside: true })) : sides
  })
}

/**
 * What the SQL of a role is when a part of it is not there: without the half that only narrows the guard must decide
 * as the rule does, and without leave to enter the role nobody may be allowed more than the rule allows.
 */
function weaker(
  name: string,
  expression: SqlExpression,
  { flag }: DatabaseRole,
  mustEqual: (principal: Values) => boolean
): readonly Side[] {
  const guard = guardAlone(expression)
  return [
    ...(isNarrowed(expression) ? [sqlSide(`${name}, guard alone`, guard, mustEqual)] : []),
    ...(flag === null ? [] : [sqlSide(`${name}, not entered`, unentered(guard), () => false)])
  ]
}

function sqlSide(name: string, expression: SqlExpression, mustEqual: (principal: Values) => boolean): Side {
  const truth = sqlTruth(expression)
  return {
    name,
    mustEqual,
    opensFor: (principal, now) => row => truth(principal, row, now) === true
  }
}
