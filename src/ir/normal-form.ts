import type { Atom, Condition, Relation, Term } from './formula.js'
import { OPPOSITE, printAtom } from './print.js'

/**
 * A condition in negation normal form, read as "definitely true": negation stands only at the atoms, and / or are
 * monotone, so each backend needs to say only when one literal is definitely true. `exists`: for some related row that
 * counts, `of` is definitely true; `every`: for all of them. The parts of and / or are
 * simplified, free of repetition and in a fixed order: the same meaning tends to the same form.
 */
export type Nnf =
  | { readonly kind: 'const'; readonly value: boolean }
  | { readonly kind: 'literal'; readonly atom: Atom; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Nnf[] }
  | { readonly kind: 'exists' | 'every'; readonly relation: Relation; readonly of: Nnf }

/** One atom or its negation. */
export type Literal = Extract<Nnf, { kind: 'literal' }>

const TRUE: Nnf = { kind: 'const', value: true }
const FALSE: Nnf = { kind: 'const', value: false }

/** The normal form of a condition; `negated` asks for that of its negation. */
export function normalize(condition: Condition, negated = false): Nnf {
  switch (condition.kind) {
    case 'const':
      return condition.value === negated ? FALSE : TRUE
    case 'not':
      return normalize(condition.of, !negated)
    case 'and':
    case 'or': {
      const parts = condition.of.map(part => normalize(part, negated))
      return (condition.kind === 'and') === negated ? or(parts) : and(parts)
    }
    case 'exists': {
      const of = normalize(condition.of, negated)
      return { kind: negated ? 'every' : 'exists', relation: condition.relation, of }
    }
    case 'atom':
      return literal(condition.atom, negated)
  }
}

/** The form of "the principal may read this related row", asked of that row; true when every row counts. */
export function readableForm(
  { readable }: Relation,
  allowed: (all: readonly Condition[]) => Nnf = anyOf
): Nnf {
  if (readable === null) return TRUE
  return and([allowed(readable.allow), ...readable.forbid.map(one => normalize(one, true))])
}

/** Some condition is definitely true. */
export function anyOf(conditions: readonly Condition[]): Nnf {
  return or(conditions.map(one => normalize(one)))
}

/** All of the parts, simplified. */
export function and(parts: readonly Nnf[]): Nnf {
  return group('and', parts)
}

/** Some of the parts, simplified. */
export function or(parts: readonly Nnf[]): Nnf {
  return group('or', parts)
}

/** One literal, with the spellings that mean the same brought to one. */
export function literal(atom: Atom, negated: boolean): Nnf {
  if (atom.kind === 'eq' && atom.right.kind === 'literal' && atom.right.value === false) {
    // a bool that is not null is false exactly when it is not true
    return literal({ ...atom, right: { ...atom.right, value: true } }, !negated)
  }
  if (atom.kind === 'order' && negated) return literal({ ...atom, op: OPPOSITE[atom.op] }, false)
  if (atom.kind === 'in' && atom.set.kind === 'list') {
    const [first, ...more] = atom.set.values
    // safety: null in [] is unknown, so "not in []" still needs the item to be there
    if (first === undefined) return negated ? literal({ kind: 'null', term: atom.item }, true) : FALSE
    if (more.length === 0) {
      const right: Term = { kind: 'literal', value: first, type: atom.set.type.of }
      return literal({ kind: 'eq', left: atom.item, right }, negated)
    }
  }
  return { kind: 'literal', atom, negated }
}

/** A text that is equal for two forms exactly when they are the same form. Sorts and deduplicates. */
export function keyOf(form: Nnf): string {
  const known = keys.get(form)
  if (known !== undefined) return known
  const key = makeKey(form)
  keys.set(form, key)
  return key
}

/** Forms never change, and simplifying asks for the key of each of them many times. */
const keys = new WeakMap<Nnf, string>()

function makeKey(form: Nnf): string {
  switch (form.kind) {
    case 'const':
      return String(form.value)
    case 'literal':
      return printAtom(form.atom, form.negated)
    case 'exists':
    case 'every':
      return `${form.kind} ${form.relation.name} (${keyOf(form.of)})`
    case 'and':
    case 'or':
      return `(${form.of.map(keyOf).join(form.kind === 'and' ? ' && ' : ' || ')})`
  }
}

/**
 * Whether `a` being true makes `b` true, as far as the shape shows it. "false" means "not seen", not "no".
 * Sound for any truth of the literals, because and / or are monotone.
 */
export function implies(a: Nnf, b: Nnf): boolean {
  if (a.kind === 'const') return a.value ? b.kind === 'const' && b.value : true
  if (b.kind === 'const') return b.value
  if (a.kind === 'or') return a.of.every(part => implies(part, b))
  if (b.kind === 'and') return b.of.every(part => implies(a, part))
  if (b.kind === 'or' && b.of.some(part => implies(a, part))) return true
  if (a.kind === 'and') return a.of.some(part => implies(part, b))
  return b.kind !== 'or' && keyOf(a) === keyOf(b)
}

function group(kind: 'and' | 'or', parts: readonly Nnf[]): Nnf {
  const absorbing = kind === 'or'
  const flat = parts.flatMap(part => (part.kind === kind ? part.of : [part]))
  if (flat.some(part => part.kind === 'const' && part.value === absorbing)) return absorbing ? TRUE : FALSE
  const byKey = new Map(flat.filter(part => part.kind !== 'const').map(part => [keyOf(part), part]))
  const sorted = [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part)
  const kept = absorb(kind, sorted)
  const [only] = kept
  if (only === undefined) return absorbing ? FALSE : TRUE
  return kept.length === 1 ? only : { kind, of: kept }
}

/**
 * Drops each part that the others make superfluous: in an or what implies one of them, in an and what they imply
 * together. The longest first, so that what is left is short.
 */
function absorb(kind: 'and' | 'or', parts: readonly Nnf[]): readonly Nnf[] {
  const kept = new Set(parts)
  for (const part of [...parts].sort((a, b) => keyOf(b).length - keyOf(a).length)) {
    const others = [...kept].filter(other => other !== part)
    if (others.length === 0) break
    const superfluous =
      kind === 'or' ? others.some(other => implies(part, other)) : implies({ kind: 'and', of: others }, part)
    if (superfluous) kept.delete(part)
  }
  return parts.filter(part => kept.has(part))
}
