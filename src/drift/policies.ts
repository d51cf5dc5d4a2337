import type { Bundle } from '../ir/model.js'
import { sameTree } from './canonical.js'
import { type Change, type Difference, type Reading, treeOfText } from './differences.js'
import type { DriftFinding } from './finding.js'
import { findingsOf } from './judge.js'
import type { Judged } from './look.js'
import { type Meaning, meaningOf } from './meaning.js'

/** What is needed to judge the expressions of policies. */
export interface PolicyOptions {
  readonly bundle: Bundle
  readonly reading: Reading
  readonly maxModels: number
  /** The text that the record has of an expression, by the object's name and the clause. */
  readonly recorded: (name: string, clause: string) => string | null
}

/**
 * A policy whose expressions are others than the compiled ones: no finding when it is proved to decide as the rules do,
 * else findings with the smallest case in which it does not.
 */
export function judgedPolicy(difference: Difference & { what: 'changed' }, options: PolicyOptions): Judged {
  const { wanted, changes } = difference
  const clauses = changes.filter(({ property }) => property in wanted.trees)
  const others = changes.filter(one => !clauses.includes(one))
  const rest = others.length > 0 ? findingsOf({ ...difference, changes: others }) : []
  if (clauses.length === 0) return { findings: rest, notes: [] }
  const meaning = meaningOfChange(difference, clauses, options)
  if (meaning.verdict === 'same' && others.length === 0) {
    return { findings: [], notes: [`the policy ${wanted.name} has another text and decides the same`] }
  }
  const changed = clauses.map(clause => {
    const text = expectedText(difference, clause, options)
    return findingsOf({ ...difference, changes: [{ ...clause, expected: text }] })
  })
  return { findings: [...rest, ...changed.flat().map(one => withMeaning(one, meaning))], notes: [] }
}

function meaningOfChange(
  { wanted, live }: Difference & { what: 'changed' },
  clauses: readonly Change[],
  { bundle, reading, maxModels }: PolicyOptions
): Meaning {
  const table = String(live.facts['table'])
  const resource = bundle.resources.find(one => `public.${one.table}` === table)
  if (resource === undefined) return { verdict: 'unknown', why: 'it belongs to no resource' }
  const name = wanted.name.slice(0, -` ON ${table}`.length)
  const policy = {
    name,
    command: String(wanted.facts['command']),
    clauses: new Map(clauses.map(({ property, tree }) => [property, tree]))
  }
  const { parse, typesOf } = reading
  return meaningOf(policy, resource, { bundle, parse, typeOf: typesOf(table), maxModels })
}

/** The record's text where it is what was compiled: PostgreSQL's words are easier to compare with PostgreSQL's. */
function expectedText(
  { wanted }: Difference & { what: 'changed' },
  { property }: Change,
  { recorded, reading }: PolicyOptions
): string | null {
  const compiled = wanted.trees[property] ?? null
  if (compiled === null) return null
  const text = recorded(wanted.name, property)
  const tree = text === null ? undefined : treeOfText(property, text, reading.parse)
  const typeOf = reading.typesOf(String(wanted.facts['table']))
  return tree !== undefined && sameTree(compiled, tree, typeOf)
    ? text
    : 'what `twinrule compile policies --target sql` prints'
}

function withMeaning(finding: DriftFinding, meaning: Meaning): DriftFinding {
  switch (meaning.verdict) {
    case 'same':
      return finding
    case 'different':
      return {
        ...finding,
        message: `${finding.message}, and it decides otherwise than the rules`,
        counterexample: meaning.counterexample
      }
    case 'unknown':
      return {
        ...finding,
        message: `${finding.message}, and it is not proved to decide the same: ${meaning.why}`
      }
  }
}
