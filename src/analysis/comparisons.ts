import type { Atom, Condition, Relation, Term } from '../ir/formula.js'

/** A term, and for a column of a related row the relation that leads to it. */
export type Compared =
  | Exclude<Term, { readonly kind: 'related' }>
  | (Extract<Term, { readonly kind: 'related' }> & { readonly relation: Relation })

/** Terms that one test looks at together. A lone term is only tested for null, or read as a bool. */
export interface Comparison {
  readonly terms: readonly Compared[]
  /** Whether it asks which is less, not only whether they are equal. */
  readonly ordered: boolean
}

/** Whether a condition speaks of related rows. */
export function readsRelated(condition: Condition): boolean {
  return relationsOf(condition).length > 0
}

/** The relations that a condition speaks of, once for each `exists`. */
export function relationsOf(condition: Condition): readonly Relation[] {
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(relationsOf)
    case 'not':
      return relationsOf(condition.of)
    case 'exists':
      return [condition.relation]
  }
}

/** Every comparison of a condition, those on related rows and on their being readable included. */
export function comparisonsOf(condition: Condition): readonly Comparison[] {
  return collect(condition, {})
}

interface Place {
  /** The relation whose rows the related columns are of, inside of an `exists`. */
  readonly related?: Relation
  /** The relation whose rows all columns are of, inside of another resource's read rules. */
  readonly own?: Relation
}

function collect(condition: Condition, place: Place): readonly Comparison[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(part => collect(part, place))
    case 'not':
      return collect(condition.of, place)
    case 'exists': {
      const { relation, of } = condition
      const { allow = [], forbid = [] } = relation.readable ?? {}
      return [
        ...collect(of, { ...place, related: relation }),
        ...[...allow, ...forbid].flatMap(one => collect(one, { own: relation }))
      ]
    }
    case 'atom':
      return [comparisonOf(condition.atom, place)]
  }
}

function comparisonOf(atom: Atom, place: Place): Comparison {
  const at = (term: Term) => locate(term, place)
  switch (atom.kind) {
    case 'eq':
      return { terms: [at(atom.left), at(atom.right)], ordered: false }
    case 'order':
      return { terms: [at(atom.left), at(atom.right)], ordered: true }
    case 'in':
      return { terms: [at(atom.item), at(atom.set)], ordered: false }
    case 'null':
      return { terms: [at(atom.term)], ordered: false }
  }
}

function locate(term: Term, { related, own }: Place): Compared {
  if (term.kind === 'column' && own !== undefined) return { ...term, kind: 'related', relation: own }
  if (term.kind !== 'related') return term
  const relation = related ?? own
  // a related column outside of an exists is no row's: the reference takes it for null, and so does everyone
  return relation === undefined ? { ...term, kind: 'column' } : { ...term, relation }
}

/** What a comparison says of the principal and the clock; without a term of theirs it says nothing and is ignored. */
export function principalPart({ terms, ordered }: Comparison): Comparison {
  return { terms: terms.filter(({ kind }) => kind !== 'column' && kind !== 'related'), ordered }
}

/** Whether a comparison looks at a row and a related row at once. Models choose the two apart from each other. */
export function acrossRows({ terms }: Comparison): boolean {
  return terms.some(({ kind }) => kind === 'column') && terms.some(({ kind }) => kind === 'related')
}
