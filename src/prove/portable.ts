import type { Domain } from '../analysis/domain.js'
import type { Resource } from '../ir/model.js'
import type { Elements } from './lists.js'

/** A rule as the CASL backend emits it, not yet known to be one. */
export type EmittedRule = Readonly<Record<string, unknown>>

/** The operators that look into a value by nothing but equality. */
const EQUALITY: readonly string[] = ['$in', '$nin', '$all', '$eq']
/** The operators that also look at its order. Models have more values where the policy orders them. */
const ORDER: readonly string[] = ['$lt', '$lte', '$gt', '$gte']

/**
 * What is wrong with the portable rules of one gate: whatever is not a stock operator on a column of the gate, with
 * values that the models of that column know. Within these limits all models are all cases.
 */
export function unportable(
  rules: readonly EmittedRule[],
  about: {
    readonly resource: Resource
    readonly actions: readonly string[]
    readonly elements: Elements
  },
  domains: readonly Domain[]
): readonly string[] {
  const { resource, actions, elements } = about
  return rules.flatMap(({ action, subject, conditions, inverted, ...more }) => [
    ...(inverted === undefined || inverted === true ? [] : ['a portable rule is half inverted']),
    ...Object.keys(more).map(key => `a portable rule has ${key}`),
    ...(actions.some(one => one === action) ? [] : [`a portable rule is about the action ${String(action)}`]),
    ...(subject === resource.name ? [] : [`a portable rule is about ${String(subject)}`]),
    ...(conditions === undefined
      ? []
      : unknownConditions(
          conditions,
          { resource, relations: inverted ? elements.inverted : elements.plain, relation: null },
          domains
        ))
  ])
}

interface Place {
  readonly resource: Resource
  readonly relations: readonly string[]
  /** The relation whose rows the conditions are about; null for those on the row itself. */
  readonly relation: string | null
}

function unknownConditions(conditions: unknown, place: Place, domains: readonly Domain[]): readonly string[] {
  const columns = Object.entries(Object(conditions) as object)
  // safety: CASL takes empty conditions for none, so they must not look like a restriction
  if (columns.length === 0) return ['a portable rule has conditions without any']
  return columns.flatMap(([column, operators]) => {
    if (place.relation === null && place.relations.includes(column)) {
      return unknownElement(column, operators, place, domains)
    }
    return isPresence(column, operators, place) ? [] : unknownOperators(column, operators, place, domains)
  })
}

/** safety: one statement "some related row is such" for each relation and rule is all that the models are made for. */
function unknownElement(
  relation: string,
  operators: unknown,
  place: Place,
  domains: readonly Domain[]
): readonly string[] {
  return Object.entries(Object(operators) as object).flatMap(([operator, of]) =>
    operator === '$elemMatch'
      ? unknownConditions(of, { ...place, relation }, domains)
      : [`a portable rule uses ${operator} on ${relation}`]
  )
}

/** Whether a condition says of a related row that it has its key, as every one does. */
function isPresence(column: string, operators: unknown, { resource, relation }: Place): boolean {
  const remote = resource.relations.find(({ name }) => name === relation)?.remote
  return column === remote && JSON.stringify(operators) === '{"$nin":[null]}'
}

function unknownOperators(
  column: string,
  operators: unknown,
  { relation }: Place,
  domains: readonly Domain[]
): readonly string[] {
  const side = relation === null ? 'row' : 'related'
  const domain = domains.find(({ variables }) =>
    variables.some(one => one.side === side && one.relation === relation && one.name === column)
  )
  const name = relation === null ? column : `${relation}.${column}`
  if (domain === undefined) return [`a portable rule reads ${name}, which the rules of its gate do not`]
  const allowed = domain.ordered ? [...EQUALITY, ...ORDER] : EQUALITY
  return Object.entries(Object(operators) as object).flatMap(([operator, operand]) => {
    if (!allowed.includes(operator)) return [`a portable rule uses ${operator}`]
    const items: readonly unknown[] = Array.isArray(operand) ? operand : [operand]
    const strange = items.filter(item => item !== null && !domain.values.some(value => value === item))
    return strange.map(() => `a portable rule compares ${name} with a value that is in no rule of its gate`)
  })
}
