import type { Domain } from '../analysis/domain.js'
import type { Resource } from '../ir/model.js'

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
  { resource, actions }: { readonly resource: Resource; readonly actions: readonly string[] },
  domains: readonly Domain[]
): readonly string[] {
  return rules.flatMap(({ action, subject, conditions, inverted, ...more }) => [
    ...(inverted === undefined || inverted === true ? [] : ['a portable rule is half inverted']),
    ...Object.keys(more).map(key => `a portable rule has ${key}`),
    ...(actions.some(one => one === action) ? [] : [`a portable rule is about the action ${String(action)}`]),
    ...(subject === resource.name ? [] : [`a portable rule is about ${String(subject)}`]),
    ...(conditions === undefined ? [] : unknownConditions(conditions, domains))
  ])
}

function unknownConditions(conditions: unknown, domains: readonly Domain[]): readonly string[] {
  const columns = Object.entries(Object(conditions) as object)
  // safety: CASL takes empty conditions for none, so they must not look like a restriction
  if (columns.length === 0) return ['a portable rule has conditions without any']
  return columns.flatMap(([column, operators]) => {
    const domain = domains.find(({ variables }) =>
      variables.some(({ side, name }) => side === 'row' && name === column)
    )
    if (domain === undefined) return [`a portable rule reads ${column}, which the rules of its gate do not`]
    const allowed = domain.ordered ? [...EQUALITY, ...ORDER] : EQUALITY
    return Object.entries(Object(operators) as object).flatMap(([operator, operand]) => {
      if (!allowed.includes(operator)) return [`a portable rule uses ${operator}`]
      const items: readonly unknown[] = Array.isArray(operand) ? operand : [operand]
      const strange = items.filter(item => item !== null && !domain.values.some(value => value === item))
      return strange.map(
        () => `a portable rule compares ${column} with a value that is in no rule of its gate`
      )
    })
  })
}
