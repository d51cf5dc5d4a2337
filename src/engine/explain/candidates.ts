import { type Domain, scalarOf, type Variable } from '../../analysis/domain.js'
import { anyOf } from '../../analysis/sorts.js'
import type { Now } from '../../backends/compiled.js'
import type { Related } from '../../ir/evaluate.js'
import { formatDate, formatTimestamp, parseDate, parseTimestamp } from '../../ir/time.js'
import type { ScalarType } from '../../ir/types.js'
import type { Scalar, Value } from '../../ir/values.js'
import { nextOf, type State } from './constraints.js'

/**
 * The values that an attribute may be given. Conditions tell values apart only by comparing them: with literals, with
 * the values of attributes that they are compared with, and in order. So these, and as many values that equal none of
 * them as there are steps, are all that make a difference.
 */
export interface Candidates {
  readonly principal: (name: string) => readonly Scalar[]
  readonly column: (name: string) => readonly Scalar[]
  /** None for a column that no condition reads. */
  readonly related: (relation: string, name: string) => readonly Scalar[]
}

/** The candidates of a request that is changed by at most so many steps. */
export function candidatesOf(
  domains: readonly Domain[],
  state: State,
  { now, steps }: { readonly now: Now; readonly steps: number }
): Candidates {
  const classes = domains.map(domain => ({
    variables: domain.variables,
    values: valuesOf(domain, state, { now, steps })
  }))
  const find = (is: (variable: Variable) => boolean) =>
    classes.find(({ variables }) => variables.some(is))?.values ?? []
  const column = (name: string) => {
    const known = find(({ side, ...one }) => side === 'row' && one.name === name)
    // a column that must not change is compared with itself
    const own = [state.old[name], state.changes[name]].flatMap(value => scalarsOf(value as Value))
    return [...new Set([...known, ...own])]
  }
  return {
    principal: name => find(({ side, ...one }) => side === 'principal' && one.name === name),
    column,
    related: (relation, name) => find(one => one.relation === relation && one.name === name)
  }
}

function valuesOf(
  domain: Domain,
  state: State,
  { now, steps }: { readonly now: Now; readonly steps: number }
): readonly Scalar[] {
  const current = domain.variables.flatMap(variable => currentOf(variable, state))
  const clock = domain.variables.some(({ side }) => side === 'clock') && now !== null ? around(now) : []
  const literals = domain.ordered ? domain.values : domain.values.slice(0, domain.named)
  const [first] = domain.variables
  const named =
    first === undefined ? literals : literals.filter(value => isWritable(scalarOf(first.type), value))
  const taken = new Set<Scalar>([...current, ...named, ...clock])
  const fresh = domain.ordered || first === undefined ? [] : freshValues(scalarOf(first.type), taken, steps)
  return [...taken, ...fresh]
}

/** Whether a request can hold a value: the day after 9999-12-31 is one that it cannot. */
function isWritable({ kind }: ScalarType, value: Scalar): boolean {
  if (kind === 'date') return parseDate(formatDate(Number(value))) === value
  if (kind === 'timestamptz') return parseTimestamp(formatTimestamp(value as number | bigint)) === value
  return true
}

/** Just before, now, and just after. */
function around(now: number | bigint): readonly Scalar[] {
  return typeof now === 'number' ? [now, now + 1, now - 1] : [now, now + 1n, now - 1n]
}

/** The values that a variable has now, in the request and in each related row. */
function currentOf({ side, relation, name }: Variable, state: State): readonly Scalar[] {
  if (side === 'principal') return scalarsOf(state.principal[name] as Value)
  if (side === 'row') {
    return [state.old, nextOf(state)].flatMap(row => scalarsOf(row[name] as Value))
  }
  if (relation === null) return []
  const rows = [state.old, nextOf(state)].flatMap(row => (row[relation] ?? []) as readonly Related[])
  return rows.flatMap(row => scalarsOf(row[name]))
}

function scalarsOf(value: Value | undefined): readonly Scalar[] {
  if (value === null || value === undefined) return []
  return (Array.isArray(value) ? value : [value]).filter(item => item !== null)
}

/** Values of a type that are none of those taken, at most so many; of a finite type perhaps fewer. */
function freshValues(type: ScalarType, taken: ReadonlySet<Scalar>, wanted: number): readonly Scalar[] {
  const found = new Set<Scalar>()
  const tries = taken.size + wanted + (type.kind === 'enum' ? type.labels.length : 2)
  for (let n = 1; n <= tries && found.size < wanted; n++) {
    const value = anyOf(type, n)
    if (!taken.has(value)) found.add(value)
  }
  return [...found]
}
