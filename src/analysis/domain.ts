import { InternalError } from '../errors/errors.js'
import type { Atom, Condition, Term } from '../ir/formula.js'
import type { Resource } from '../ir/model.js'
import type { ScalarType, Type } from '../ir/types.js'
import type { Scalar } from '../ir/values.js'
import { anyOf, orderedValues } from './sorts.js'

/** Terms that one test looks at together. A lone term is only tested for null, or read as a bool. */
export interface Comparison {
  readonly terms: readonly Term[]
  /** Whether it asks which is less, not only whether they are equal. */
  readonly ordered: boolean
}

/** A term whose value a model chooses. */
export interface Variable {
  readonly side: 'principal' | 'clock' | 'row'
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
  /** In the order in which a model chooses: of the principal and the clock, then of the row; scalars before sets. */
  readonly variables: readonly Variable[]
}

/** Whether a condition speaks of related rows, for which there are no models yet. */
export function readsRelated(condition: Condition): boolean {
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return false
    case 'and':
    case 'or':
      return condition.of.some(readsRelated)
    case 'not':
      return readsRelated(condition.of)
    case 'exists':
      return true
  }
}

/** Every comparison of a condition on one row. @throws InternalError for one that `readsRelated` */
export function comparisonsOf(condition: Condition): readonly Comparison[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(comparisonsOf)
    case 'not':
      return comparisonsOf(condition.of)
    case 'exists':
      throw new InternalError('related rows have no models yet')
    case 'atom':
      return [comparisonOf(condition.atom)]
  }
}

function comparisonOf(atom: Atom): Comparison {
  switch (atom.kind) {
    case 'eq':
      return { terms: [atom.left, atom.right], ordered: false }
    case 'order':
      return { terms: [atom.left, atom.right], ordered: true }
    case 'in':
      return { terms: [atom.item, atom.set], ordered: false }
    case 'null':
      return { terms: [atom.term], ordered: false }
  }
}

/** What a comparison says of the principal and the clock; without a term of theirs it says nothing and is ignored. */
export function principalPart({ terms, ordered }: Comparison): Comparison {
  return { terms: terms.filter(({ kind }) => kind !== 'column'), ordered }
}

/** The domains of some comparisons on a resource. Only what is compared or tested becomes a variable. */
export function domainsOf(resource: Resource, comparisons: readonly Comparison[]): readonly Domain[] {
  const classes = connected(comparisons)
  const taken = new Set(classes.flatMap(({ terms }) => literalsOf(terms)))
  const fresh = freshValues(taken)
  return classes.map(({ terms, ordered }) => {
    const variables = variablesOf(resource, terms)
    const literals = [...new Set(literalsOf(terms))]
    const scalar = scalarOf((terms[0] as Term).type)
    if (ordered) {
      const values = orderedValues(scalar, literals, variables.length)
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
 * How many values that no earlier choice has taken a set may need: one for each scalar that is chosen after it and may
 * or may not be in it, and one that equals no scalar at all.
 */
export function roomOfSet(domain: Domain, set: Variable): number {
  const later = domain.variables.slice(domain.variables.indexOf(set) + 1)
  return later.filter(({ type }) => type.kind !== 'set').length + 1
}

interface Class extends Comparison {
  readonly names: ReadonlySet<string>
}

/** The terms of comparisons that share a term, directly or through others. Literals connect nothing. */
function connected(comparisons: readonly Comparison[]): readonly Class[] {
  let classes: readonly Class[] = []
  for (const { terms, ordered } of comparisons) {
    const names = new Set(terms.map(nameOf).filter(name => name !== null))
    const touching = classes.filter(one => [...one.names].some(name => names.has(name)))
    const joined: Class = {
      names: new Set([...touching.flatMap(one => [...one.names]), ...names]),
      terms: [...touching.flatMap(one => one.terms), ...terms],
      ordered: ordered || touching.some(one => one.ordered)
    }
    classes = [...classes.filter(one => !touching.includes(one)), joined]
  }
  return classes.filter(({ names }) => names.size > 0)
}

function nameOf(term: Term): string | null {
  switch (term.kind) {
    case 'column':
    case 'principal':
      return `${term.kind} ${term.name}`
    case 'now':
      return 'clock now'
    case 'related':
    case 'literal':
    case 'list':
      return null
  }
}

function literalsOf(terms: readonly Term[]): readonly Scalar[] {
  return terms.flatMap(term =>
    term.kind === 'literal' ? [term.value] : term.kind === 'list' ? term.values : []
  )
}

function variablesOf(resource: Resource, terms: readonly Term[]): readonly Variable[] {
  const byName = new Map<string, Variable>()
  for (const term of terms) {
    const variable = variableOf(resource, term)
    if (variable !== null) byName.set(`${variable.side} ${variable.name}`, variable)
  }
  const rank = ({ side, type }: Variable) => (side === 'row' ? 2 : 0) + (type.kind === 'set' ? 1 : 0)
  return [...byName.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

function variableOf(resource: Resource, term: Term): Variable | null {
  switch (term.kind) {
    case 'column': {
      const { name, type } = term
      // safety: only a declared "!" excludes a NULL
      const nullable = resource.columns.find(column => column.name === name)?.nullable ?? true
      return { side: 'row', name, type, nullable }
    }
    case 'principal':
      // safety: every attribute of a principal may be absent
      return { side: 'principal', name: term.name, type: term.type, nullable: true }
    case 'now':
      return { side: 'clock', name: 'now', type: term.type, nullable: false }
    case 'related':
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
