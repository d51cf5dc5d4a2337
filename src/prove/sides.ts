import { createMongoAbility, type MongoAbility } from '@casl/ability'
import type { Domain } from '../analysis/domain.js'
import { buildAbility, openedBy } from '../engine/ability.js'
import type { Values } from '../ir/evaluate.js'
import { type Gate, gateOpen } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { type EmittedRule, unportable } from './portable.js'
import { sqlTruth } from './sql-eval.js'
import type { SqlExpression } from './sql-expression.js'
import type { DatabaseRole } from './table-security.js'

/** Whether a gate is open for a row, for the principal that was given before. */
export type Opens = (row: Values) => boolean

/** One way to decide, compared with the reference. */
export interface Side {
  readonly name: string
  readonly opensFor: (principal: Values) => Opens
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
export type PortableRules = (bundle: Bundle, principal: Values) => readonly EmittedRule[]

const always = (): boolean => true

/** The definition: the reference interpreter on the rules as written. */
export function reference({ resource, gate }: GateQuestion): (principal: Values) => Opens {
  return principal => row => gateOpen(resource, gate, { principal, row })
}

/** Stock CASL for one principal. */
export interface PortableAbility {
  readonly rules: readonly EmittedRule[]
  readonly ability: MongoAbility
}

/** Abilities of one resource that are kept, because each gate asks for much the same principals. */
const KEPT = 1_000

/** Builds the ability of a principal, or finds it again. */
export function portableAbilities(
  bundle: Bundle,
  resource: Resource,
  rulesFor: PortableRules
): (principal: Values) => PortableAbility {
  // rules of other resources have another subject: an ability never asks them for this one
  const alone: Bundle = { ...bundle, resources: [resource] }
  const kept = new Map<string, PortableAbility>()
  return principal => {
    const key = JSON.stringify(principal, (_, value) => (typeof value === 'bigint' ? `int ${value}` : value))
    const known = kept.get(key)
    if (known !== undefined) return known
    const rules = rulesFor(alone, principal)
    const ability: MongoAbility = createMongoAbility(rules as unknown as MongoAbility['rules'], {
      detectSubjectType: () => resource.name
    })
    const made = { rules, ability }
    if (kept.size < KEPT) kept.set(key, made)
    return made
  }
}

/** Stock CASL with the portable rules. */
export function stockCasl(
  { resource, gate, domains, report }: GateQuestion,
  abilityFor: (principal: Values) => PortableAbility
): Side {
  return {
    name: 'CASL',
    mustEqual: always,
    opensFor: principal => {
      const { rules, ability } = abilityFor(principal)
      const own = rules.filter(({ action }) => action === gate)
      for (const finding of unportable(own, resource, domains)) report(finding)
      return row => ability.can(gate, row)
    }
  }
}

/** The compiled rules behind the decision engine. */
export function compiled({ bundle, resource, gate }: GateQuestion): Side {
  const ability = buildAbility({ ...bundle, resources: [resource] })
  return {
    name: 'compiled',
    mustEqual: always,
    opensFor: principal => row => openedBy(ability, gate, { type: resource.name, principal, row }) !== null
  }
}

/** For which principals the SQL of a role must decide as the rule does: those whom the role was made for. */
export function madeFor(
  { domains }: GateQuestion,
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

/** The SQL of one role. */
export function postgres(
  expression: SqlExpression,
  { role }: DatabaseRole,
  mustEqual: (principal: Values) => boolean
): Side {
  const truth = sqlTruth(expression)
  return { name: `SQL ${role}`, mustEqual, opensFor: principal => row => truth(principal, row) === true }
}
