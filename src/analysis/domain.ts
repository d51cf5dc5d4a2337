import { InternalError } from '../errors/errors.js'
import type { Resource } from '../ir/model.js'
import type { ScalarType, Type } from '../ir/types.js'
import type { Scalar } from '../ir/values.js'
import { acrossRows, type Compared, type Comparison } from './comparisons.js'
import { anyOf, orderedValues } from './sorts.js'

/** A term whose value a model chooses. */
export interface Variable {
  readonly side: 'principal' | 'clock' | 'row' | 'related'
  /** The relation of a related row's column. */
  readonly relation: string | null
  readonly name: string
  readonly type: Type
  readonly nullable: boolean
}

/**
 * Terms that are compared with each other, directly or through others, and the values that realise every case of
 * them: the literals, then values that equal no literal. Terms of two domains never meet, so the cases of a set of
 * conditions are the product of the cases of its domains.
 */
export interface Domain {
  readonly values: readonly Scalar[]
  /** How many of the values, from the first, have a meaning of their own. The others are interchangeable. */
  readonly named: number
  /** Whether it matters which value is less. */
  readonly ordered: boolean
  /**
   * Of the principal and the clock, then of related rows, then of the row; scalars before sets. The rows are chosen
   * apart from each other, each after the principal: no test looks at two of them.
   */
  readonly variables: readonly Variable[]
}

/**
 * The domains of some comparisons on a resource. Only what is compared or tested becomes a variable.
 *
 * @param joins keys by which rows are related: no test, but a row and its related rows must be able to share a value
 */
export function domainsOf(
  resource: Resource,
  comparisons: readonly Comparison[],
  joins: readonly Comparison[] = []
): readonly Domain[] {
  // safety: the rows of a model are chosen one by one, so what compares two of them has no models
  if (comparisons.some(acrossRows)) throw new InternalError('a comparison of a row with a related row')
  const classes = connected([...comparisons, ...joins])
  const taken = new Set(classes.flatMap(({ terms }) => literalsOf(terms)))
  const fresh = freshValues(taken)
  return classes.map(({ terms, ordered }) => {
    const variables = variablesOf(resource, terms)
    const literals = [...new Set(literalsOf(terms))]
    const scalar = scalarOf((terms[0] as Compared).type)
    if (ordered) {
      const values = orderedValues(scalar, literals, togetherIn(variables))
      return { values, named: values.length, ordered, variables }
    }
    return {
      values: valuesOf(scalar, literals, variables, fresh),
      named: literals.length,
      ordered,
      variables
    }
  })
}

/** The scalars of a term: those of a set are its items. */
export function scalarOf(type: Type): ScalarType {
  return type.kind === 'set' ? type.of : type
}

/**
 * How many values that no earlier choice has taken a set may need: one for each scalar of one row that is chosen after
 * it and may or may not be in it, and one that equals no scalar at all.
 */
export function roomOfSet(domain: Domain, set: Variable): number {
  const later = domain.variables.slice(domain.variables.indexOf(set) + 1).filter(one => isBeside(one, set))
  return togetherIn(later.filter(({ type }) => type.kind !== 'set')) + 1
}

/** Whether two variables can be looked at together. */
function isBeside(one: Variable, other: Variable): boolean {
  const both = [one, other].filter(({ side }) => side === 'row' || side === 'related')
  return both.length < 2 || groupOf(one) === groupOf(other)
}

function groupOf({ side, relation }: Variable): string {
  return relation ?? side
}

/** The most variables that one principal and one row have among them. */
function togetherIn(variables: readonly Variable[]): number {
  const counts = new Map<string, number>()
  let shared = 0
  for (const one of variables) {
    if (one.side === 'row' || one.side === 'related')
      counts.set(groupOf(one), (counts.get(groupOf(one)) ?? 0) + 1)
    else shared++
  }
  return shared + Math.max(0, ...counts.values())
}

/** The terms of comparisons that share a term, directly or through others. Literals connect nothing. */
function connected(comparisons: readonly Comparison[]): readonly Comparison[] {
  // each name leads towards the first name of its class
  const leads = new Map<string, string>()
  const first = (name: string): string => {
    const next = leads.get(name) ?? name
    return next === name ? name : first(next)
  }
  const named = comparisons.map(one => ({ one, names: one.terms.flatMap(term => nameOf(term) ?? []) }))
  for (const { names } of named) {
    for (const name of names) {
      if (!leads.has(name)) leads.set(name, name)
      leads.set(first(name), first(names[0] ?? name))
    }
  }
  const classes = new Map<string, { terms: Compared[]; ordered: boolean }>()
  for (const { one, names } of named) {
    const [name] = names
    if (name === undefined) continue
    const known = classes.get(first(name)) ?? { terms: [], ordered: false }
    known.terms.push(...one.terms)
    known.ordered ||= one.ordered
    classes.set(first(name), known)
  }
  return [...classes.values()]
}

function nameOf(term: Compared): string | null {
  switch (term.kind) {
    case 'related':
      return `related ${term.relation.name} ${term.name}`
    case 'column':
    case 'principal':
      return `${term.kind} ${term.name}`
    case 'now':
      return 'clock now'
    case 'literal':
    case 'list':
      return null
  }
}

function literalsOf(terms: readonly Compared[]): readonly Scalar[] {
  return terms.flatMap(term =>
    term.kind === 'literal' ? [term.value] : term.kind === 'list' ? term.values : []
  )
}

function variablesOf(resource: Resource, terms: readonly Compared[]): readonly Variable[] {
  const byName = new Map<string, Variable>()
  for (const term of terms) {
    const variable = variableOf(resource, term)
    if (variable !== null) byName.set(`${groupOf(variable)} ${variable.side} ${variable.name}`, variable)
  }
  const rank = ({ side, type }: Variable) =>
    (side === 'row' ? 4 : side === 'related' ? 2 : 0) + (type.kind === 'set' ? 1 : 0)
  return [...byName.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

function variableOf(resource: Resource, term: Compared): Variable | null {
  switch (term.kind) {
    case 'column': {
      const { name, type } = term
      // safety: only a declared "!" excludes a NULL
      const nullable = resource.columns.find(column => column.name === name)?.nullable ?? true
      return { side: 'row', relation: null, name, type, nullable }
    }
    case 'principal':
      // safety: every attribute of a principal may be absent
      return { side: 'principal', relation: null, name: term.name, type: term.type, nullable: true }
    case 'now':
      return { side: 'clock', relation: null, name: 'now', type: term.type, nullable: false }
    case 'related': {
      const { name, type, relation } = term
      // safety: a row belongs to another by a key, and NULL is no key
      const nullable =
        name !== relation.remote && (relation.columns.find(column => column.name === name)?.nullable ?? true)
      return { side: 'related', relation: relation.name, name, type, nullable }
    }
    case 'literal':
    case 'list':
      return null
  }
}

/**
 * The values of a domain. Values are compared for equality alone, so it only matters which terms are equal to each
 * other and to which literal: as many other values as there can be different terms realise every case.
 */
function valuesOf(
  scalar: ScalarType,
  literals: readonly Scalar[],
  variables: readonly Variable[],
  fresh: (scalar: ScalarType) => Scalar
): readonly Scalar[] {
  switch (scalar.kind) {
    case 'bool':
      return [...new Set([...literals, true, false])]
    case 'enum':
      return [...new Set([...literals, ...scalar.labels])]
    case 'uuid':
    case 'text':
    case 'int':
    case 'date':
    case 'timestamptz': {
      const scalars = variables.filter(({ type }) => type.kind !== 'set').length
      const sets = variables.length - scalars
      return [...literals, ...Array.from({ length: scalars + sets * (scalars + 1) }, () => fresh(scalar))]
    }
  }
}

/** Gives values that are no literal, each once, so that a reader can tell the domains apart. */
function freshValues(taken: ReadonlySet<Scalar>): (scalar: ScalarType) => Scalar {
  const used = new Map<string, number>()
  return scalar => {
    for (;;) {
      const n = (used.get(scalar.kind) ?? 0) + 1
      used.set(scalar.kind, n)
      const value = anyOf(scalar, n)
      if (!taken.has(value)) return value
    }
  }
}
