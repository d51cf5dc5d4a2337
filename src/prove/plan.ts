import { comparisonsOf, principalPart } from '../analysis/comparisons.js'
import { domainsOf } from '../analysis/domain.js'
import { type Space, spaceOf } from '../analysis/models.js'
import type { Values } from '../ir/evaluate.js'
import { GATES, type Gate, gateConditions, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { neverOpens } from './gate.js'
import { listsOf } from './lists.js'
import type { TableSecurity } from './read-back.js'
import {
  type AbilityFor,
  compiled,
  type GateQuestion,
  madeFor,
  postgres,
  type Side,
  stockCasl
} from './sides.js'
import { type SignatureFor, signaturesOf } from './signatures.js'
import { type SqlExpression, sqlComparisons } from './sql-expression.js'
import { type DatabaseRole, gateOf, hasPolicy } from './table-security.js'

/** What is proved: a resource, and its table's security where it has one. */
export interface Subject {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly security: TableSecurity | null
  readonly roles: readonly DatabaseRole[]
}

/** The models of a gate, and the SQL of each role at it. */
export interface Plan {
  readonly question: GateQuestion
  readonly space: Space
  readonly signatures: SignatureFor
  readonly sql: readonly RoleSql[]
}

interface RoleSql {
  readonly role: DatabaseRole
  readonly expression: SqlExpression
  readonly hasPolicy: boolean
  readonly madeFor: (principal: Values) => boolean
}

/**
 * What a gate's models vary: every term and literal of its rules and of its SQL. The rules of a principal are made for
 * all gates at once, so its models are those of all gates.
 */
export function planOf(
  { bundle, resource, security, roles }: Subject,
  gate: Gate,
  { abilityFor, report }: { readonly abilityFor: AbilityFor; readonly report: (finding: string) => void }
): Plan {
  // added actions are the app's alone: PostgreSQL has no command for them
  const command = GATES.find(one => one === gate)
  const expressions =
    security === null || command === undefined
      ? []
      : roles.map(role => ({
          role,
          expression: gateOf(security, command, role.role),
          hasPolicy: hasPolicy(security, command, role.role)
        }))
  const compared = (one: Gate) => gateConditions(resource, one).flatMap(comparisonsOf)
  const domains = domainsOf(resource, [
    ...gatesOf(bundle).flatMap(compared).map(principalPart),
    ...compared(gate),
    ...expressions.flatMap(({ expression }) => sqlComparisons(expression))
  ])
  const texts = expressions.map(({ expression }) => expression)
  const lists = listsOf(resource, gate, texts)
  const question = { bundle, resource, gate, domains, report }
  const sql = expressions.map(one => ({ ...one, madeFor: madeFor(question, one.role, roles) }))
  const signatures = signaturesOf(question, texts, abilityFor)
  return { question, space: spaceOf(domains, lists), signatures, sql }
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
  abilityFor: AbilityFor
): readonly Side[] {
  return [
    stockCasl(question, abilityFor),
    compiled(question),
    ...sql.map(({ role, expression, hasPolicy, madeFor }) => {
      // an update needs an old and a new row: if the rules never open one half, the other one may stay closed
      const idle = !hasPolicy && mate !== undefined && neverOpens(mate, madeFor)
      return postgres(expression, role, idle ? () => false : madeFor)
    })
  ]
}
