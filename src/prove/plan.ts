import { type Comparison, comparisonsOf, principalPart } from '../analysis/comparisons.js'
import { domainsOf } from '../analysis/domain.js'
import { spaceOf } from '../analysis/models.js'
import { besideOf } from '../analysis/related.js'
import type { StaticAbility } from '../engine/ability.js'
import type { Values } from '../ir/evaluate.js'
import { GATES, type Gate, gateConditions, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { type Models, neverOpens, relatedRowsOf } from './gate.js'
import { listsOf } from './lists.js'
import type { TableSecurity } from './read-back.js'
import {
  type AbilityFor,
  compiled,
  database,
  expressionsOf,
  type GateQuestion,
  madeFor,
  type RoleExpression,
  reference,
  type Side,
  stockCasl
} from './sides.js'
import { signaturesOf } from './signatures.js'
import { type SqlExpression, sqlComparisons } from './sql-expression.js'
import { type DatabaseRole, gateOf, hasPolicy } from './table-security.js'
import type { Seen } from './visible.js'

/** What is proved: a resource, and its table's security where it has one. */
export interface Subject {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly security: TableSecurity | null
  /** When the triggers of its table let a change of columns be. */
  readonly permitted: SqlExpression | null
  /** On which condition the list of each role shows a row; none where there is nothing to list. */
  readonly lists: readonly RoleExpression[]
  /** How the roles see other tables in subqueries. */
  readonly seen: Seen
  readonly roles: readonly DatabaseRole[]
}

/** What the plans of all gates of a resource have in common. */
export interface Common {
  readonly abilityFor: AbilityFor
  /** What the rules of all gates ask of the principal. */
  readonly principals: readonly Comparison[]
  readonly report: (finding: string) => void
}

/** What the rules of a resource ask of the principal, at whatever gate. */
export function principalComparisons(bundle: Bundle, resource: Resource): readonly Comparison[] {
  const conditions = new Set(gatesOf(bundle).flatMap(gate => gateConditions(resource, gate)))
  return [...conditions].flatMap(comparisonsOf).map(principalPart)
}

/** The models of a gate, and the SQL of each role at it. */
export interface Plan extends Models {
  readonly question: GateQuestion
  readonly sql: readonly RoleSql[]
}

interface RoleSql extends RoleExpression {
  readonly hasPolicy: boolean
  readonly madeFor: (principal: Values) => boolean
}

/**
 * What a gate's models vary: every term and literal of its rules and of its SQL. The rules of a principal are made for
 * all gates at once, so its models are those of all gates.
 */
export function planOf(
  { bundle, resource, security, lists: pages, seen, roles }: Subject,
  gate: Gate,
  { abilityFor, principals, report }: Common
): Plan {
  // added actions are the app's alone: PostgreSQL has no command for them
  const command = GATES.find(one => one === gate)
  const expressions: (RoleExpression & Pick<RoleSql, 'hasPolicy'>)[] =
    security === null || command === undefined
      ? []
      : roles.map(role => {
          const expression = gateOf(security, command, role.role)
          const has = hasPolicy(security, command, role.role)
          return { role, expression, asSeen: seen(expression, role.role), hasPolicy: has }
        })
  if (gate === 'read') expressions.push(...pages.map(one => ({ ...one, hasPolicy: true })))
  const texts = expressions.flatMap(expressionsOf)
  const domains = domainsOf(resource, [
    ...principals,
    ...gateConditions(resource, gate).flatMap(comparisonsOf),
    ...texts.flatMap(sqlComparisons)
  ])
  const lists = listsOf(resource, gate, texts)
  const question = { bundle, resource, gate, domains, report }
  const sql = expressions.map(one => ({ ...one, madeFor: madeFor(question, one.role, roles) }))
  const signature = signaturesOf(question, texts, abilityFor)
  const space = spaceOf(domains, lists)
  const beside = besideOf(space, { empty: relatedRowsOf(question), signature })
  return { question, defined: reference(question), space, beside, sql }
}

const MATES: Readonly<Partial<Record<Gate, Gate>>> = { update: 'update_new', update_new: 'update' }

/** The other half of an update, where it decides about this one: where a role has no policy for either. */
export function mateOf({ question, sql }: Plan, plans: readonly Plan[]): Plan | undefined {
  if (sql.every(one => one.hasPolicy)) return undefined
  return plans.find(plan => plan.question.gate === MATES[question.gate])
}

/** The sides of a gate. */
export function sidesOf(
  { question, sql }: Plan,
  mate: Plan | undefined,
  { abilityFor, ability }: { readonly abilityFor: AbilityFor; readonly ability: StaticAbility }
): readonly Side[] {
  return [
    stockCasl(question, abilityFor),
    compiled(question, ability),
    ...sql.flatMap(one => {
      const { hasPolicy, madeFor } = one
      // an update needs an old and a new row: if the rules never open one half, the other one may stay closed
      const idle = !hasPolicy && mate !== undefined && neverOpens(mate, madeFor)
      const mustEqual = idle ? () => false : madeFor
      return database(one, mustEqual)
    })
  ]
}
