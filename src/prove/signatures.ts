import { createMongoAbility, type MongoAbility } from '@casl/ability'
import { compilePredicate } from '../backends/compiled.js'
import { evaluate, type Related, type Truth, type Values } from '../ir/evaluate.js'
import type { Atom, Condition, Relation } from '../ir/formula.js'
import { allowForm, gateConditions, gateForbids } from '../ir/gates.js'
import { type Nnf, readableForm } from '../ir/normal-form.js'
import { type AbilityFor, type GateQuestion, type Now, rulesOfGate } from './sides.js'
import { sqlTruth } from './sql-eval.js'
import { type SqlExpression, sqlComparisons } from './sql-expression.js'

/** Everything that the sides of a gate can see of a related row, whatever the row to which it belongs. */
export type Signature = (row: Related) => string

/** The signatures of the related rows of a relation, for a principal at a time. */
export type SignatureFor = (principal: Values, now: Now) => (relation: string) => Signature

/** What one side finds in a related row: a digit for each of its parts. */
type Sight = (principal: Values, now: Now, row: Related) => string

/**
 * What the sides see of related rows. The conditions on a related row are cut into parts that do not read the row to
 * which it belongs; sides that find the parts of two rows alike treat the two rows alike, so models need one of them.
 */
export function signaturesOf(
  { bundle, resource, gate }: GateQuestion,
  sql: readonly SqlExpression[],
  abilityFor: AbilityFor
): SignatureFor {
  const sights = sightsOf(resource.relations, {
    conditions: gateConditions(resource, gate),
    forms: [allowForm(resource, gate), ...gateForbids(resource, gate).map(({ cleared }) => cleared)],
    sql
  })
  return (principal, now) => {
    const rules = rulesOfGate(abilityFor(principal, now).rules, { bundle, gate })
    return relation => {
      const matches = ofCasl(
        rules.map(rule => rule['conditions']),
        relation
      )
      return row => seenBy(sights.get(relation) ?? [], principal, now, row) + matches(row)
    }
  }
}

/** What sides find in related rows that have these conditions, compiled forms and SQL, and no portable rules. */
export function signaturesOfParts(
  relations: readonly Relation[],
  parts: { readonly conditions: readonly Condition[] } & Partial<Parts>
): SignatureFor {
  const sights = sightsOf(relations, { forms: [], sql: [], ...parts })
  return (principal, now) => relation => row => seenBy(sights.get(relation) ?? [], principal, now, row)
}

interface Parts {
  readonly conditions: readonly Condition[]
  readonly forms: readonly Nnf[]
  readonly sql: readonly SqlExpression[]
}

function sightsOf(
  relations: readonly Relation[],
  { conditions, forms, sql }: Parts
): ReadonlyMap<string, readonly Sight[]> {
  return new Map(
    relations.map(({ name }) => [
      name,
      [
        ...conditions.flatMap(one => ofReference(one, name)),
        ...forms.flatMap(one => ofCompiled(one, name)),
        ...sql.flatMap(one => ofDatabase(one, name))
      ]
    ])
  )
}

function seenBy(sights: readonly Sight[], principal: Values, now: Now, row: Related): string {
  let seen = ''
  for (const sight of sights) seen += sight(principal, now, row)
  return seen
}

function digit(truth: Truth): string {
  return truth === null ? '2' : truth ? '1' : '0'
}

/** The digit of a related row that does not count. */
const UNREADABLE = '-'

function ofReference(condition: Condition, relation: string): readonly Sight[] {
  return existsIn(condition, relation).map(one => {
    const { allow, forbid } = one.relation.readable ?? { allow: null, forbid: [] }
    const parts = freeParts(one.of as Condition, readsOwnColumn)
    return (principal, now, row) => {
      const when = now === null ? {} : { now }
      const at = { principal, row, ...when }
      const counts =
        (allow === null || allow.some(part => evaluate(part, at) === true)) &&
        forbid.every(part => evaluate(part, at) === false)
      if (!counts) return UNREADABLE
      const inside = { principal, row: {}, related: row, ...when }
      return parts.reduce((seen, part) => seen + digit(evaluate(part, inside)), '')
    }
  })
}

function ofCompiled(form: Nnf, relation: string): readonly Sight[] {
  return existsIn(form, relation).map(one => {
    const counts = compilePredicate(readableForm(one.relation))
    const parts = freeParts(one.of as Nnf, readsOwnColumn).map(compilePredicate)
    return (principal, now, row) => {
      if (!counts(principal, row, now)) return UNREADABLE
      return parts.reduce((seen, part) => seen + digit(part(principal, {}, now, row)), '')
    }
  })
}

function ofDatabase(expression: SqlExpression, relation: string): readonly Sight[] {
  return existsIn(expression, relation).map(one => {
    const free = (part: SqlExpression) =>
      sqlComparisons(part).some(({ terms }) => terms.some(({ kind }) => kind === 'column'))
    const parts = freeParts(one.of as SqlExpression, free).map(sqlTruth)
    return (principal, now, row) =>
      parts.reduce((seen, part) => seen + digit(part(principal, {}, now, row)), '')
  })
}

/** Asks stock CASL about what stands in each `$elemMatch`. */
function ofCasl(conditions: readonly unknown[], relation: string): Signature {
  const elements = conditions.flatMap(one => {
    const of = Object(Object(one)[relation]).$elemMatch
    return of === undefined ? [] : [of]
  })
  if (elements.length === 0) return () => ''
  const rules = elements.map((of, i) => ({ action: String(i), subject: relation, conditions: of }))
  const ability: MongoAbility = createMongoAbility(rules as unknown as MongoAbility['rules'], {
    detectSubjectType: () => relation
  })
  return row => rules.map(({ action }) => Number(ability.can(action, row))).join('')
}

type Exists = { readonly relation: Relation; readonly of: unknown }
type Tree = { readonly kind: string }

/** Every statement about some or every related row of a relation. */
function existsIn(one: Tree, relation: string): readonly Exists[] {
  if (one.kind === 'exists' || one.kind === 'every') {
    const found = one as unknown as Exists
    return found.relation.name === relation ? [found] : []
  }
  return partsOf(one).flatMap(part => existsIn(part, relation))
}

/** The largest parts that do not read the row itself. What reads it alone is no part of what is seen of another row. */
function freeParts<T extends Tree>(one: T, readsOwn: (one: T) => boolean): readonly T[] {
  return readsOwn(one) ? partsOf(one).flatMap(part => freeParts(part, readsOwn)) : [one]
}

function partsOf<T extends Tree>(one: T): readonly T[] {
  if (one.kind === 'and' || one.kind === 'or') return (one as unknown as { of: readonly T[] }).of
  // the half that only narrows looks at no related row
  return ['not', 'not true', 'guarded'].includes(one.kind) ? [(one as unknown as { of: T }).of] : []
}

function readsOwnColumn(one: Condition | Nnf): boolean {
  if ('atom' in one) return atomReadsOwn(one.atom)
  return (partsOf(one as Tree) as readonly (Condition | Nnf)[]).some(readsOwnColumn)
}

function atomReadsOwn(atom: Atom): boolean {
  return Object.values(atom).some(part => typeof part === 'object' && part.kind === 'column')
}
