import { InternalError } from '../errors/errors.js'
import {
  type Alternative,
  alternatives,
  columnTerm,
  type Element,
  MAX_ALTERNATIVES,
  type Test
} from '../ir/alternatives.js'
import type { Values } from '../ir/evaluate.js'
import { deepFreeze, type Term } from '../ir/formula.js'
import { allowForm, type Gate, gateForbids, gatesOf } from '../ir/gates.js'
import type { Bundle } from '../ir/model.js'
import { printAtom, printTerm } from '../ir/print.js'
import type { Scalar } from '../ir/values.js'
import { type CaslConditions, elementCondition, instantiate, testCondition } from './casl-conditions.js'
import type { Now } from './compiled.js'

export type { CaslConditions } from './casl-conditions.js'

/** A rule for `createMongoAbility`: plain data, the same in a browser. Forbids are inverted and come last. */
export interface CaslRule {
  readonly action: string
  readonly subject: string
  readonly inverted?: true
  readonly conditions?: CaslConditions
}

/**
 * A rule before the principal is known: "${principal.x}" stands for its value, `when` for what must hold of it alone.
 * Conditions are a list, all of which must hold, where one column has an operator twice. Whole numbers beyond 2^53 are
 * shown as text.
 */
export interface CaslTemplate {
  readonly action: string
  readonly subject: string
  readonly inverted?: true
  readonly when: readonly string[]
  readonly conditions: CaslConditions | readonly CaslConditions[]
}

/**
 * The rules of every principal at once, one for each alternative: what a reviewer reads, and what `caslRules` fills in.
 */
export function caslTemplates(bundle: Bundle): readonly CaslTemplate[] {
  return portable(bundle).map(({ head, parts }) => ({
    ...head,
    when: parts.flatMap(principalTests),
    conditions: shown(parts.flatMap(templateConditions))
  }))
}

function principalTests(part: Test | Element): readonly string[] {
  if (part.kind === 'element') return part.tests.flatMap(principalTests)
  const { literal, holds } = part
  if (columnTerm(literal) !== null) return []
  const text = printAtom(literal.atom, literal.negated)
  return [holds ? text : `not definitely (${text})`]
}

function templateConditions(part: Test | Element): readonly CaslConditions[] {
  if (part.kind === 'element') {
    return [elementCondition(part, Object.assign({}, ...part.tests.flatMap(templateConditions)))]
  }
  const one = columnTerm(part.literal) === null ? null : testCondition(part, placeholders)
  return one === null ? [] : [one]
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

/** What a template shows for a term: constants as they are, "${...}" for one value, "...${...}" for a set's values. */
function placeholders(term: Term): unknown[] {
  if (term.kind === 'literal') return [jsonScalar(term.value)]
  if (term.kind === 'list') return term.values.map(jsonScalar)
  return [`${term.type.kind === 'set' ? '...' : ''}\${${printTerm(term)}}`]
}

function jsonScalar(value: Scalar): string | number | boolean {
  return typeof value === 'bigint' || value === Infinity || value === -Infinity ? String(value) : value
}

/**
 * The portable rules of one principal: stock operators only, frozen, made for `createMongoAbility`. An alternative that
 * can never hold for this principal gives no rule.
 *
 * Ask them with canonical rows that have every declared column, and for each relation the list of related rows: CASL
 * takes a missing one for null.
 *
 * @param principal canonical values by attribute; a missing one is null
 * @param now the time for which the rules are made, microseconds since 1970; without one, `now` is unknown
 */
export function caslRules(bundle: Bundle, principal: Values, now: Now = null): readonly CaslRule[] {
  const rules: CaslRule[] = []
  for (const { head, parts } of portable(bundle)) {
    const conditions = instantiate(parts, principal, now)
    if (conditions === null) continue
    // safety: CASL takes empty conditions for none, so an alternative without any is written as such
    rules.push(Object.keys(conditions).length === 0 ? head : { ...head, conditions })
  }
  return deepFreeze(rules)
}

interface Portable {
  readonly head: { readonly action: string; readonly subject: string; readonly inverted?: true }
  readonly parts: Alternative
}

/** What was made of a bundle. A frozen one does not change, and every principal asks for it. */
const made = new WeakMap<Bundle, readonly Portable[]>()

function portable(bundle: Bundle): readonly Portable[] {
  const known = made.get(bundle)
  if (known !== undefined) return known
  const all = makePortable(bundle)
  if (Object.isFrozen(bundle)) made.set(bundle, all)
  return all
}

/** Every alternative of every gate. CASL asks the last rule first, so forbids stand behind all allows. */
function makePortable(bundle: Bundle): readonly Portable[] {
  const allows: Portable[] = []
  const forbids: Portable[] = []
  for (const resource of bundle.resources) {
    for (const gate of gatesOf(bundle)) {
      const head = { action: actionName(gate), subject: resource.name }
      for (const parts of must(alternatives(allowForm(resource, gate), MAX_ALTERNATIVES)))
        allows.push({ head, parts })
      for (const { cleared } of gateForbids(resource, gate)) {
        // safety: a forbid counts unless it is definitely false
        for (const parts of must(alternatives(cleared, MAX_ALTERNATIVES, false))) {
          forbids.push({ head: { ...head, inverted: true }, parts })
        }
      }
    }
  }
  return [...allows, ...forbids]
}

/** Policies with more alternatives do not load, so a refusal cannot be reached from a policy file. */
function must(found: ReturnType<typeof alternatives>): readonly Alternative[] {
  if (typeof found === 'string') throw new InternalError(`a policy with ${found} was compiled`)
  return found
}

/** CASL's action for a gate: an added action goes by its own name. */
function actionName(gate: Gate): string {
  return gate.startsWith('action:') ? gate.slice('action:'.length) : gate
}
