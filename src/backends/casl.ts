import { InternalError } from '../errors/errors.js'
import type { Values } from '../ir/evaluate.js'
import { deepFreeze, type Ordering, type Term } from '../ir/formula.js'
import { type Gate, gateForm, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { disjuncts, type Literal } from '../ir/normal-form.js'
import { printAtom, printTerm } from '../ir/print.js'
import type { Scalar } from '../ir/values.js'
import { compilePredicate, type Now } from './compiled.js'

/** The operators of stock CASL that agree with SQL on canonical values, nulls included. */
export type CaslOperator = '$in' | '$nin' | '$all' | '$eq' | '$lt' | '$lte' | '$gt' | '$gte'

/** Conditions by column. All of them must hold. */
export type CaslConditions = Readonly<Record<string, Readonly<Partial<Record<CaslOperator, unknown>>>>>

/** A rule for `createMongoAbility`: plain data, the same in a browser. */
export interface CaslRule {
  readonly action: string
  readonly subject: string
  readonly conditions?: CaslConditions
}

/**
 * A rule before the principal is known: "${principal.x}" stands for its value, `when` for what must hold of it alone.
 * Conditions are a list, all of which must hold, where one column has an operator twice. Whole numbers beyond 2^53 are shown as text.
 */
export interface CaslTemplate {
  readonly action: string
  readonly subject: string
  readonly when: readonly string[]
  readonly conditions: CaslConditions | readonly CaslConditions[]
}

const ORDER: Readonly<Record<Ordering, CaslOperator>> = { '<': '$lt', '<=': '$lte', '>': '$gt', '>=': '$gte' }

/** Policies with more alternatives do not load, so this cannot be reached from a policy file. */
const MAX_DISJUNCTS = 128

/**
 * The rules of every principal at once, one for each alternative: what a reviewer reads, and what `caslRules` fills in.
 */
export function caslTemplates(bundle: Bundle): readonly CaslTemplate[] {
  return alternatives(bundle).map(({ resource, gate, literals }) => ({
    action: actionName(gate),
    subject: resource.name,
    when: literals.filter(one => columnOf(one) === null).map(one => printAtom(one.atom, one.negated)),
    conditions: shown(
      literals
        .filter(one => columnOf(one) !== null)
        .map(one => condition(one, placeholders))
        .filter(one => one !== null)
    )
  }))
}

/** One object where the columns and operators do not collide. */
function shown(all: readonly CaslConditions[]): CaslConditions | readonly CaslConditions[] {
  const merged: Record<string, Record<string, unknown>> = {}
  for (const [column, operators] of all.flatMap(one => Object.entries(one))) {
    const into = merged[column] ?? {}
    if (Object.keys(operators).some(operator => Object.hasOwn(into, operator))) return all
    merged[column] = { ...into, ...operators }
  }
  return merged
}

/**
 * The portable rules of one principal: stock operators only, frozen, made for `createMongoAbility`. An alternative that
 * can never hold for this principal gives no rule.
 *
 * Ask them with canonical rows that have every declared column: CASL takes a missing one for null.
 *
 * @param principal canonical values by attribute; a missing one is null
 * @param now the time for which the rules are made, microseconds since 1970; without one, `now` is unknown
 */
export function caslRules(bundle: Bundle, principal: Values, now: Now = null): readonly CaslRule[] {
  const rules: CaslRule[] = []
  for (const { resource, gate, literals } of alternatives(bundle)) {
    const conditions = instantiate(literals, principal, now)
    if (conditions === null) continue
    const rule = { action: actionName(gate), subject: resource.name }
    // safety: CASL takes empty conditions for none, so an alternative without any is written as such
    rules.push(Object.keys(conditions).length === 0 ? rule : { ...rule, conditions })
  }
  return deepFreeze(rules)
}

/** CASL's action for a gate: an added action goes by its own name. */
function actionName(gate: Gate): string {
  return gate.startsWith('action:') ? gate.slice('action:'.length) : gate
}

interface Alternative {
  readonly resource: Resource
  readonly gate: Gate
  readonly literals: readonly Literal[]
}

function alternatives(bundle: Bundle): readonly Alternative[] {
  return bundle.resources.flatMap(resource =>
    gatesOf(bundle).flatMap(gate => {
      const all = disjuncts(gateForm(resource, gate), MAX_DISJUNCTS)
      if (all === null) throw new InternalError(`${resource.name} ${gate} has too many alternatives`)
      return all.map(literals => ({ resource, gate, literals }))
    })
  )
}

function instantiate(literals: readonly Literal[], principal: Values, now: Now): CaslConditions | null {
  const merged: Record<string, Record<string, unknown>> = {}
  for (const literal of literals) {
    if (columnOf(literal) === null) {
      if (!compilePredicate(literal)(principal, {}, now)) return null
      continue
    }
    const one = condition(literal, term => valuesOf(term, principal, now))
    if (one === null) return null
    for (const [column, operators] of Object.entries(one)) {
      const into = merged[column] ?? {}
      merged[column] = into
      for (const [operator, operand] of Object.entries(operators)) {
        into[operator] = combine(operator as CaslOperator, into[operator], operand)
      }
    }
  }
  // an empty $in matches nothing: the alternative is dead
  const dead = Object.values(merged).some(({ $in }) => Array.isArray($in) && $in.length === 0)
  return dead ? null : (merged as CaslConditions)
}

/** Two conditions with one operator on one column become one condition that is true when both are. */
function combine(operator: CaslOperator, before: unknown, next: unknown): unknown {
  if (before === undefined || operator === '$eq') return next
  if (operator === '$lt' || operator === '$lte') return (before as number) < (next as number) ? before : next
  if (operator === '$gt' || operator === '$gte') return (before as number) > (next as number) ? before : next
  const [a, b] = [before as unknown[], next as unknown[]]
  return operator === '$in' ? a.filter(value => b.includes(value)) : [...new Set([...a, ...b])]
}

/**
 * The CASL condition that is true exactly when a literal on a column is definitely true, null when it never is.
 *
 * @param values what the other term stands for: canonical values, or placeholders for a template; null when it is null
 */
function condition(
  { atom, negated }: Literal,
  values: (term: Term) => unknown[] | null
): CaslConditions | null {
  switch (atom.kind) {
    case 'null':
      return on(atom.term, negated ? { $nin: [null] } : { $eq: null })
    case 'eq': {
      const other = values(atom.right)
      if (other === null) return null
      // safety: without null in the list, CASL would take a NULL column for different
      return on(atom.left, negated ? { $nin: [...other, null] } : { $in: other })
    }
    case 'order': {
      const other = values(atom.right)
      // safety: CASL takes null for 0 in an ordering
      return other === null ? null : on(atom.left, { [ORDER[atom.op]]: other[0], $nin: [null] })
    }
    case 'in': {
      if (atom.set.kind === 'column') {
        const item = values(atom.item)
        if (item === null) return null
        // safety: null in the list refuses a NULL set and a set that holds NULL
        return on(atom.set, negated ? { $nin: [...item, null] } : { $all: item })
      }
      const set = values(atom.set)
      if (set === null || (negated && set.includes(null))) return null
      const known = set.filter(value => value !== null)
      return on(atom.item, negated ? { $nin: [...known, null] } : { $in: known })
    }
  }
}

function on(term: Term, operators: Partial<Record<CaslOperator, unknown>>): CaslConditions {
  if (term.kind !== 'column') throw new InternalError('a CASL condition without a column')
  return { [term.name]: operators }
}

/** The column that a literal reads, or null when it reads the principal alone. */
function columnOf({ atom }: Literal): string | null {
  const terms = Object.values(atom).filter(part => typeof part === 'object')
  return terms.find(term => term.kind === 'column')?.name ?? null
}

/** What a template shows for a term: constants as they are, "${...}" for one value, "...${...}" for a set's values. */
function placeholders(term: Term): unknown[] {
  if (term.kind === 'literal') return [jsonScalar(term.value)]
  if (term.kind === 'list') return term.values.map(jsonScalar)
  return [`${term.type.kind === 'set' ? '...' : ''}\${${printTerm(term)}}`]
}

function jsonScalar(value: Scalar): string | number | boolean {
  return typeof value === 'bigint' || value === Infinity || value === -Infinity ? String(value) : value
}

function valuesOf(term: Term, principal: Values, now: Now): (Scalar | null)[] | null {
  switch (term.kind) {
    case 'literal':
      return [term.value]
    case 'list':
      return [...term.values]
    case 'now':
      return now === null ? null : [now]
    case 'principal': {
      const value = principal[term.name] ?? null
      return value === null ? null : Array.isArray(value) ? [...value] : [value as Scalar]
    }
    case 'column':
      throw new InternalError('two columns in one literal')
  }
}
