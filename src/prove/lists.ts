import { relationsOf } from '../analysis/comparisons.js'
import type { RelatedLists } from '../analysis/counting.js'
import { countFor, type Joined, type Witnesses, witnessesOf } from '../analysis/witnesses.js'
import type { Condition } from '../ir/formula.js'
import { type Gate, gateCondition, gateConditions } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import type { SqlExpression } from './sql-expression.js'

/** The witnesses that keep an answer of a side: that it opens a gate, and that it does not. */
interface Sides {
  readonly opens: Witnesses
  readonly closes: Witnesses
}

/**
 * The relations of a gate, and how many related rows a model needs. Where a side and the reference differ, the rows that
 * keep both answers are enough, so no model needs more than the witnesses of one answer and of the other side's opposite.
 * docs/proof.md gives the argument.
 */
export function listsOf(
  resource: Resource,
  gate: Gate,
  sql: readonly SqlExpression[]
): readonly RelatedLists[] {
  return listsFor(gateCondition(resource, gate), sql, elementsOf(resource, gate))
}

/** The same of any condition that the reference finds definitely true, and of what SQL has in its place. */
export function listsFor(
  condition: Condition,
  sql: readonly SqlExpression[],
  elements: Elements
): readonly RelatedLists[] {
  const reference = answersOf(joined(condition))
  const database = sql.map(expression => answersOf(joined(expression)))
  const all = [reference, ...database]
  const names = new Set(all.flatMap(({ opens, closes }) => [...opens.keys(), ...closes.keys()]))
  return [...names].map(relation => {
    const count = (witnesses: Witnesses) => countFor(witnesses, relation)
    // the compiled rules are of the same form as the reference
    const needed = all.flatMap(({ opens, closes }) => [
      count(reference.opens) + count(closes),
      count(reference.closes) + count(opens)
    ])
    // one CASL rule decides, the last that matches, and it has one element of a relation at most
    const casl = [
      count(reference.opens) + Number(elements.inverted.includes(relation)),
      count(reference.closes) + Number(elements.plain.includes(relation))
    ]
    return { relation, most: Math.max(...casl, ...needed) }
  })
}

/** The relations of which portable rules of a gate may have an element: those that allow, and inverted ones. */
export interface Elements {
  readonly plain: readonly string[]
  readonly inverted: readonly string[]
}

/** The relations that rules of a gate speak of. `unportable` refuses an element of any other. */
export function elementsOf(resource: Resource, gate: Gate): Elements {
  const names = (effect: 'allow' | 'forbid') =>
    gateConditions(resource, gate, [effect])
      .flatMap(relationsOf)
      .map(({ name }) => name)
  return { plain: names('allow'), inverted: names('forbid') }
}

function answersOf(condition: Joined): Sides {
  return { opens: witnessesOf(condition, 'true'), closes: witnessesOf(condition, 'not true') }
}

/** A condition of the rules or of SQL, as far as its witnesses depend on it. */
export function joined(one: Condition | SqlExpression): Joined {
  switch (one.kind) {
    case 'and':
    case 'or':
      return { kind: one.kind, of: one.of.map(joined) }
    case 'not':
    case 'not true':
      return { kind: one.kind, of: joined(one.of) }
    case 'guarded':
      // the user and the half that narrows look at no related row
      return { kind: 'and', of: [{ kind: 'leaf' }, joined(one.of)] }
    case 'exists':
      return { kind: 'exists', relation: one.relation, of: one.of }
    default:
      return { kind: 'leaf' }
  }
}
