import type { Relation } from '../ir/formula.js'

/**
 * What matters about a condition here, be it one of the rules or one of SQL: how it is joined of statements "some related
 * row is such". Everything else is a leaf.
 */
export type Joined =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Joined[] }
  | { readonly kind: 'not' | 'not true'; readonly of: Joined }
  | { readonly kind: 'exists'; readonly relation: Relation; readonly of: object }
  | { readonly kind: 'leaf' }

/** What is asked of a condition with three truth values. */
export type Wanted = 'true' | 'not true' | 'false' | 'not false'

/**
 * By relation, the statements for which one related row each is enough to keep an answer: every other statement that
 * the answer rests on says that there is no such row, and stays so when rows are left out.
 */
export type Witnesses = ReadonlyMap<string, ReadonlySet<unknown>>

const NONE: Witnesses = new Map()

/** The witnesses that keep the truth of a condition, or more. */
export function witnessesOf(condition: Joined, wanted: Wanted): Witnesses {
  switch (condition.kind) {
    case 'leaf':
      return NONE
    case 'not':
      return witnessesOf(condition.of, NEGATED[wanted])
    case 'not true':
      return witnessesOf(condition.of, wanted === 'true' || wanted === 'not false' ? 'not true' : 'true')
    case 'and':
    case 'or': {
      // an `and` is true when all parts are, and not true when one is not
      const all = (condition.kind === 'and') === (wanted === 'true' || wanted === 'not false')
      const parts = condition.of.map(part => witnessesOf(part, wanted))
      return all ? union(parts) : most(parts)
    }
    case 'exists': {
      if (wanted === 'not true' || wanted === 'false') return NONE
      return new Map([[condition.relation.name, new Set([`${wanted} ${textOf(condition.of)}`])]])
    }
  }
}

const NEGATED: Readonly<Record<Wanted, Wanted>> = {
  true: 'false',
  'not true': 'not false',
  false: 'true',
  'not false': 'not true'
}

/** How many witnesses there are for a relation. */
export function countFor(witnesses: Witnesses, relation: string): number {
  return witnesses.get(relation)?.size ?? 0
}

/** The witnesses that keep the truth of several conditions at once. */
export function union(parts: readonly Witnesses[]): Witnesses {
  const all = new Map<string, Set<unknown>>()
  for (const [relation, own] of parts.flatMap(part => [...part])) {
    all.set(relation, new Set([...(all.get(relation) ?? []), ...own]))
  }
  return all
}

/** One of the parts, nobody knows which. */
function most(parts: readonly Witnesses[]): Witnesses {
  return new Map(
    [...union(parts)].map(([relation, all]) => {
      const sizes = parts.map(part => countFor(part, relation))
      const largest = Math.max(0, ...sizes)
      // safety: unless one part has the witnesses of all, they may have nothing in common with those of others
      if (largest === all.size) return [relation, all]
      return [relation, new Set(Array.from({ length: largest }, () => Symbol(relation)))]
    })
  )
}

/** A text that differs where two statements do. */
function textOf(of: object): string {
  return JSON.stringify(of, (key, value) =>
    key === 'span' || key === 'relation' ? undefined : typeof value === 'bigint' ? `${value}n` : value
  )
}
