import type { Relation, Term } from './formula.js'
import { keyOf, type Literal, literal, type Nnf, readableForm } from './normal-form.js'

/** A literal that is definitely true (`holds`), or that is not. */
export interface Test {
  readonly kind: 'test'
  readonly literal: Literal
  readonly holds: boolean
}

/** Some related row passes all tests. Their columns are the related row's. */
export interface Element {
  readonly kind: 'element'
  readonly relation: Relation
  readonly tests: readonly Test[]
}

/** One way in which a form can hold: all of its parts do. Those of an element speak of one related row. */
export type Alternative = readonly (Test | Element)[]

/**
 * Why a form has no list of alternatives: it has too many, it says something of every related row, of two rows of one
 * relation at once, or of two values that one set lacks.
 */
export type NoAlternatives = 'too many' | 'every related row' | 'two related rows' | 'two values of one set'

/** More alternatives than this in one gate are refused: neither CASL nor PostgreSQL would check them fast. */
export const MAX_ALTERNATIVES = 128

/**
 * The ways in which a form is definitely true, or with `holds` false the ways in which it is not. This is what rules
 * made of plain operators can say: one rule for each alternative.
 *
 * @param cap the most alternatives; more give 'too many'
 */
export function alternatives(form: Nnf, cap: number, holds = true): readonly Alternative[] | NoAlternatives {
  switch (form.kind) {
    case 'const':
      return form.value === holds ? [[]] : []
    case 'literal':
      return literalAlternatives(form, holds)
    case 'and':
    case 'or':
      return (form.kind === 'and') === holds ? product(form.of, cap, holds) : union(form.of, cap, holds)
    case 'exists':
    case 'every':
      return (form.kind === 'exists') === holds ? elements(form, cap, holds) : 'every related row'
  }
}

/** Whether a form surely has alternatives, by counting them: much less work than to list them. */
export function surelyHasAlternatives(form: Nnf, cap: number): boolean {
  return countWithoutRelations(form) <= cap
}

function countWithoutRelations(form: Nnf): number {
  switch (form.kind) {
    case 'const':
    case 'literal':
      return 1
    case 'and':
      return form.of.reduce((count, part) => count * countWithoutRelations(part), 1)
    case 'or':
      return form.of.reduce((count, part) => count + countWithoutRelations(part), 0)
    case 'exists':
    case 'every':
      return Number.POSITIVE_INFINITY
  }
}

/** The column of the row or of the related row that a literal reads, or null when it reads neither. */
export function columnTerm({ atom }: Literal): (Term & { kind: 'column' | 'related' }) | null {
  const terms = Object.values(atom).filter(part => typeof part === 'object')
  return terms.find(part => part.kind === 'column' || part.kind === 'related') ?? null
}

function literalAlternatives(form: Literal, holds: boolean): readonly Alternative[] {
  const column = columnTerm(form)
  if (holds || form.atom.kind !== 'order' || column === null)
    return [[{ kind: 'test', literal: form, holds }]]
  // not "definitely before" is "not before" or "there is none": two plain tests
  const ways = [literal({ kind: 'null', term: column }, false), literal(form.atom, !form.negated)]
  return ways.flatMap(way => (way.kind === 'literal' ? [[{ kind: 'test', literal: way, holds: true }]] : []))
}

function union(parts: readonly Nnf[], cap: number, holds: boolean): readonly Alternative[] | NoAlternatives {
  const all: Alternative[] = []
  for (const part of parts) {
    const more = alternatives(part, cap, holds)
    if (typeof more === 'string') return more
    all.push(...more)
    if (all.length > cap) return 'too many'
  }
  return all
}

function product(
  parts: readonly Nnf[],
  cap: number,
  holds: boolean
): readonly Alternative[] | NoAlternatives {
  let all: readonly Alternative[] = [[]]
  for (const part of parts) {
    const more = alternatives(part, cap, holds)
    if (typeof more === 'string') return more
    if (all.length * more.length > cap) return 'too many'
    all = all.flatMap(left => more.map(right => distinct([...left, ...right])))
  }
  return all.map(collision).find(found => found !== null) ?? all
}

/** What one key of a plain rule can say only once. */
function collision(parts: Alternative): NoAlternatives | null {
  const relations = parts.filter(part => part.kind === 'element').map(({ relation }) => relation.name)
  if (new Set(relations).size < relations.length) return 'two related rows'
  const sets = parts
    .filter(isTest)
    .flatMap(({ literal: { atom, negated }, holds }) =>
      !holds && negated && atom.kind === 'in' && atom.set.kind === 'column' ? [atom.set.name] : []
    )
  return new Set(sets).size < sets.length ? 'two values of one set' : null
}

/** An `exists` splits: what its condition says of the row itself holds beside the element. */
function elements(
  { relation, of }: Nnf & { kind: 'exists' | 'every' },
  cap: number,
  holds: boolean
): readonly Alternative[] | NoAlternatives {
  const inner = alternatives(of, cap, holds)
  const counting = alternatives(readableForm(relation), cap)
  if (typeof inner === 'string') return inner
  if (typeof counting === 'string') return counting
  if (inner.length * counting.length > cap) return 'too many'
  return inner.flatMap(one =>
    counting.map(other => {
      const tests = [...one.filter(isTest).map(asIs), ...other.filter(isTest).map(ofRelated)]
      const about = tests.filter(({ literal }) => columnTerm(literal)?.kind === 'related')
      const beside = tests.filter(({ literal }) => columnTerm(literal)?.kind !== 'related')
      return distinct([...beside, { kind: 'element', relation, tests: about }])
    })
  )
}

const asIs = (test: Test): Test => test
const isTest = (part: Test | Element): part is Test => part.kind === 'test'

/** What the read rules of the other table say of their own row, they say of the related row here. */
function ofRelated(test: Test): Test {
  const moved = Object.entries(test.literal.atom).map(([key, part]) => [
    key,
    typeof part === 'object' && part.kind === 'column' ? { ...part, kind: 'related' } : part
  ])
  return { ...test, literal: { ...test.literal, atom: Object.fromEntries(moved) as Literal['atom'] } }
}

function distinct(parts: Alternative): Alternative {
  return [...new Map(parts.map(part => [partKey(part), part])).values()]
}

function partKey(part: Test | Element): string {
  if (part.kind === 'test') return `${part.holds} ${keyOf(part.literal)}`
  return `${part.relation.name} (${part.tests.map(partKey).join(' && ')})`
}
