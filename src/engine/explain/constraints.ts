import { comparisonsOf, relationsOf } from '../../analysis/comparisons.js'
import { type Domain, domainsOf } from '../../analysis/domain.js'
import { compilePredicate, type Now, type Predicate } from '../../backends/compiled.js'
import type { Values } from '../../ir/evaluate.js'
import type { Condition, Relation } from '../../ir/formula.js'
import { changedColumns, type GateQuestion, gateDemands } from '../../ir/gates.js'
import type { Resource } from '../../ir/model.js'
import { type Nnf, normalize, or, readableForm } from '../../ir/normal-form.js'

/** A request as the search changes it. `changes` holds what an update proposes, by column and relation. */
export interface State {
  readonly principal: Values
  readonly old: Values
  readonly changes: Values
}

/** One thing that must hold for a request to be allowed, and the attributes that it reads, as steps name them. */
export interface Constraint {
  readonly holds: (state: State, next: Values, now: Now) => boolean
  readonly reads: ReadonlySet<string>
}

/** A test that some row of a relation passes, for a row that could be added. */
export interface Wanted {
  readonly relation: Relation
  readonly passes: Predicate
}

/** Everything that decides about an action on a resource. */
export interface Constraints {
  readonly all: readonly Constraint[]
  readonly wanted: readonly Wanted[]
  readonly domains: readonly Domain[]
}

/** What a read, a create or a delete proposes. */
export const NO_CHANGES: Values = Object.freeze({})

/** The row as it would become. */
export function nextOf({ old, changes }: State): Values {
  return changes === NO_CHANGES ? old : { ...old, ...changes }
}

/** The demands and guards of an action, each compiled on its own: the request is allowed when all of them hold. */
export function constraintsOf(
  resource: Resource,
  questions: readonly GateQuestion[],
  changes: boolean
): Constraints {
  const parts = questions.flatMap(({ gate, row }) => demandParts(resource, gate, row))
  const guards = changes ? guardsOf(resource) : []
  const conditions = [
    ...parts.flatMap(one => one.conditions),
    ...(changes ? resource.columnRules.map(({ when }) => when) : [])
  ]
  return {
    all: [...parts.map(part => partConstraint(part, changes)), ...guards],
    wanted: parts.flatMap(({ form }) => wantedOf(form)),
    domains: domainsOf(resource, conditions.flatMap(comparisonsOf))
  }
}

interface Part {
  readonly form: Nnf
  readonly conditions: readonly Condition[]
  readonly row: 'old' | 'new'
}

function demandParts(
  resource: Resource,
  gate: GateQuestion['gate'],
  row: GateQuestion['row']
): readonly Part[] {
  return gateDemands(resource, gate).flatMap(({ part, allows, forbids }): readonly Part[] => [
    {
      form: or(allows.map(rule => normalize(rule[part]))),
      conditions: allows.map(rule => rule[part]),
      row
    },
    ...forbids.map(rule => ({ form: normalize(rule[part], true), conditions: [rule[part]], row }))
  ])
}

function partConstraint({ form, conditions, row }: Part, changes: boolean): Constraint {
  const predicate = compilePredicate(form)
  const reads = new Set(conditions.flatMap(one => attributesOf(one, row === 'new' && changes)))
  return {
    holds: (state, next, now) => predicate(state.principal, row === 'old' ? state.old : next, now),
    reads
  }
}

/** What a condition reads; of a row as it would become, a column is read from the changes or from the row as it is. */
function attributesOf(condition: Condition, changed: boolean): readonly string[] {
  const ofRow = (name: string) => [`resource.${name}`, ...(changed ? [`changes.${name}`] : [])]
  const terms = comparisonsOf(condition).flatMap(one => one.terms)
  return [
    ...terms.flatMap(term => {
      if (term.kind === 'principal') return [`principal.${term.name}`]
      return term.kind === 'column' ? ofRow(term.name) : []
    }),
    ...relationsOf(condition).flatMap(({ name, local }) => [...ofRow(name), ...ofRow(local)])
  ]
}

function guardsOf(resource: Resource): readonly Constraint[] {
  const changes = (state: State, next: Values, columns: readonly string[]) =>
    changedColumns(resource, state.old, next).some(column => columns.includes(column))
  const both = (columns: readonly string[]) =>
    columns.flatMap(column => [`resource.${column}`, `changes.${column}`])
  const fixed = resource.immutable.map(column => ({
    holds: (state: State, next: Values) => !changes(state, next, [column]),
    reads: new Set(both([column]))
  }))
  const rules = resource.columnRules.map(({ columns, when }) => {
    const permits = compilePredicate(normalize(when))
    return {
      holds: (state: State, next: Values, now: Now) =>
        !changes(state, next, columns) || permits(state.principal, state.old, now),
      reads: new Set([...both(columns), ...attributesOf(when, false)])
    }
  })
  return [...fixed, ...rules]
}

/** The tests that a related row can pass to make a form true. */
function wantedOf(form: Nnf): readonly Wanted[] {
  switch (form.kind) {
    case 'const':
    case 'literal':
    case 'every':
      return []
    case 'and':
    case 'or':
      return form.of.flatMap(wantedOf)
    case 'exists': {
      const counts = compilePredicate(readableForm(form.relation))
      const test = compilePredicate(form.of)
      const passes: Predicate = (principal, row, now, related = {}) =>
        counts(principal, related, now) && test(principal, row, now, related)
      return [{ relation: form.relation, passes }]
    }
  }
}
