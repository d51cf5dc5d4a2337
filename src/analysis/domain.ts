import type { Atom, Condition, Term } from '../ir/formula.js'
import type { Resource } from '../ir/model.js'
import type { ScalarType, Type } from '../ir/types.js'
import type { Scalar } from '../ir/values.js'

/** Terms that one test looks at together. A lone term is only tested for null, or read as a bool. */
export type Comparison = readonly Term[]

/** A term whose value a model chooses. */
export interface Variable {
  readonly side: 'principal' | 'row'
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
  /** How many of the values are literals. The others are interchangeable: no condition names them. */
  readonly literals: number
  /** In the order in which a model chooses: of the principal, then of the row; scalars before sets. */
  readonly variables: readonly Variable[]
}

/** Every comparison of a condition. */
export function comparisonsOf(condition: Condition): readonly Comparison[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(comparisonsOf)
    case 'not':
      return comparisonsOf(condition.of)
    case 'atom':
      return [termsOf(condition.atom)]
  }
}

function termsOf(atom: Atom): Comparison {
  switch (atom.kind) {
    case 'eq':
      return [atom.left, atom.right]
    case 'in':
      return [atom.item, atom.set]
    case 'null':
      return [atom.term]
  }
}

/** What a comparison says of the principal alone; without a term of the principal it says nothing and is ignored. */
export function principalPart(comparison: Comparison): Comparison {
  return comparison.filter(({ kind }) => kind !== 'column')
}

/** The domains of some comparisons on a resource. Only what is compared or tested becomes a variable. */
export function domainsOf(resource: Resource, comparisons: readonly Comparison[]): readonly Domain[] {
  const classes = connected(comparisons)
  const taken = new Set(classes.flatMap(literalsOf))
  const fresh = freshValues(taken)
  return classes.map(terms => {
    const variables = variablesOf(resource, terms)
    const literals = [...new Set(literalsOf(terms))]
    const scalar = scalarOf((terms[0] as Term).type)
    return { values: valuesOf(scalar, literals, variables, fresh), literals: literals.length, variables }
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

/** The terms of comparisons that share a term, directly or through others. Literals connect nothing. */
function connected(comparisons: readonly Comparison[]): readonly (readonly Term[])[] {
  let classes: { readonly names: ReadonlySet<string>; readonly terms: readonly Term[] }[] = []
  for (const terms of comparisons) {
    const names = new Set(terms.map(nameOf).filter(name => name !== null))
    const touching = classes.filter(one => [...one.names].some(name => names.has(name)))
    classes = classes.filter(one => !touching.includes(one))
    classes.push({
      names: new Set([...touching.flatMap(one => [...one.names]), ...names]),
      terms: [...touching.flatMap(one => one.terms), ...terms]
    })
  }
  return classes.filter(({ names }) => names.size > 0).map(({ terms }) => terms)
}

function nameOf(term: Term): string | null {
  return term.kind === 'column' || term.kind === 'principal' ? `${term.kind} ${term.name}` : null
}

function literalsOf(terms: readonly Term[]): readonly Scalar[] {
  return terms.flatMap(term =>
    term.kind === 'literal' ? [term.value] : term.kind === 'list' ? term.values : []
  )
}

function variablesOf(resource: Resource, terms: readonly Term[]): readonly Variable[] {
  const byName = new Map<string, Variable>()
  for (const term of terms) {
    const key = nameOf(term)
    if (key === null || (term.kind !== 'column' && term.kind !== 'principal')) continue
    const column = resource.columns.find(({ name }) => name === term.name)
    byName.set(key, {
      side: term.kind === 'column' ? 'row' : 'principal',
      name: term.name,
      type: term.type,
      // safety: every attribute of a principal may be absent, and only a declared "!" excludes a NULL
      nullable: term.kind === 'principal' || (column?.nullable ?? true)
    })
  }
  const rank = ({ side, type }: Variable) => (side === 'row' ? 2 : 0) + (type.kind === 'set' ? 1 : 0)
  return [...byName.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

/**
 * The values of a domain. Values are compared for equality alone, so it only matters which terms are equal to each
 * other and to which literal: as many other values as there can be different terms realise every case.
 * Orderings would add a place: as many values in each gap between two literals, chosen in their order.
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
    case 'int': {
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
      const value = nthValue(scalar, n)
      if (!taken.has(value)) return value
    }
  }
}

function nthValue(scalar: ScalarType, n: number): Scalar {
  switch (scalar.kind) {
    case 'uuid':
      return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`
    case 'text':
      return `text ${n}`
    case 'int':
      return 1000 + n
    case 'bool':
      return n % 2 === 1
    case 'enum':
      return scalar.labels[(n - 1) % scalar.labels.length] ?? ''
  }
}

/** A value for a column or attribute that no condition looks at: null where it may be, else any of its type. */
export function anyValue(type: Type, nullable: boolean): Scalar | null | readonly Scalar[] {
  if (nullable) return null
  if (type.kind === 'set') return []
  return type.kind === 'bool' ? false : nthValue(type, type.kind === 'enum' ? 1 : 0xffff)
}
