import { comparisonsOf } from '../analysis/comparisons.js'
import type { Relation } from '../ir/formula.js'
import { gateConditions, questionsOf } from '../ir/gates.js'
import type { Bundle, Column, Resource } from '../ir/model.js'
import type { Refusal } from './attributes.js'
import type { DecisionRequest } from './request.js'

type Sent = Readonly<Record<string, unknown>>

/** Why a question cannot be decided from what was sent with it alone; null when nothing keeps it from that. */
export type PassedCheck = (request: DecisionRequest) => Refusal | null

/**
 * Builds the check of questions that bring all facts with them. The engine takes an absent attribute for null and passes
 * over what no rule can read, because a database fills in both. A caller who misspells an attribute leaves one out and
 * sends one that nobody knows: here every declared one must be there, and no other.
 *
 * It is about names alone; values are checked by the engine.
 */
export function passedCheck(bundle: Bundle): PassedCheck {
  const subject = subjectCheck(bundle)
  const resources = new Map(bundle.resources.map(one => [one.name, resourceCheck(bundle, one)]))
  return request => {
    const check = resources.get(request.resource.type)
    // the engine denies what it does not know
    if (check === undefined) return null
    return subject(request.subject.properties ?? {}) ?? check(request)
  }
}

function subjectCheck({ principal }: Bundle): (sent: Sent) => Refusal | null {
  const declared = principal.filter(({ name }) => name !== 'id')
  const passed = declared.filter(({ source }) => source === 'context').map(({ name }) => name)
  const stored = new Set(declared.filter(({ source }) => source === 'lookup').map(({ name }) => name))
  // it says which membership is meant, also to rules that do not ask for it
  const known = new Set(stored.has('tenant_id') ? passed : ['tenant_id', ...passed])
  return sent => {
    for (const name of Object.keys(sent)) {
      if (known.has(name)) continue
      return stored.has(name)
        ? lookup(`subject.${name} has source: lookup, so no caller can say it`)
        : unknown('subject.properties', [...known])
    }
    for (const name of passed) {
      // an active member has all of them
      if (!Object.hasOwn(sent, name) || sent[name] === null) return missing(`subject.${name} is missing`)
    }
    // safety: a tenant that is not active has no members, whatever the rules say
    if (typeof sent['tenant_status'] === 'string' && sent['tenant_status'] !== 'active') {
      return { code: 'not_a_member', reason: 'the tenant of the subject is not active' }
    }
    return null
  }
}

function resourceCheck(bundle: Bundle, resource: Resource): PassedCheck {
  const row = rowCheck(resource.columns, resource.relations)
  const actions = new Map<string, { readonly stored: string | null }>()
  return request => {
    const action = request.action.name
    let known = actions.get(action)
    if (known === undefined) {
      const asked = questionsOf(bundle, action)
      if (asked === null) return null
      known = { stored: storedRead(bundle, resource, action) }
      actions.set(action, known)
    }
    if (known.stored !== null) {
      // safety: null for what only the database knows could make a rule true
      return lookup(`a rule for ${action} reads subject.${known.stored}, which has source: lookup`)
    }
    const found = row(request.resource.properties ?? {}, 'resource')
    return found ?? relatedChanges(resource, request.action.properties?.['changes'])
  }
}

/** The first attribute of the principal that a question reads and that only the database can say. */
function storedRead(bundle: Bundle, resource: Resource, action: string): string | null {
  const asked = questionsOf(bundle, action) ?? []
  const gates = asked.flatMap(({ gate }) => gateConditions(resource, gate))
  const columns = asked.some(({ gate }) => gate === 'update') ? resource.columnRules : []
  const terms = [...gates, ...columns.map(({ when }) => when)]
    .flatMap(comparisonsOf)
    .flatMap(one => one.terms)
  const read = new Set(
    terms.filter(({ kind }) => kind === 'principal').map(term => 'name' in term && term.name)
  )
  const stored = bundle.principal.find(
    ({ name, source }) => name !== 'id' && source === 'lookup' && read.has(name)
  )
  return stored?.name ?? null
}

/** The id of a row is `resource.id`, so it need not be sent twice. */
function rowCheck(
  columns: readonly Column[],
  relations: readonly Relation[]
): (sent: Sent, at: string) => Refusal | null {
  const needed = columns.map(({ name }) => name)
  const all = [...needed, ...relations.map(({ name }) => name)]
  const known = new Set(all)
  const inside = relations.map(relation => ({ relation, check: relatedCheck(relation) }))
  return (sent, at) => {
    for (const name of Object.keys(sent)) if (!known.has(name)) return unknown(`${at}.properties`, all)
    for (const name of needed) {
      if (name !== 'id' && !Object.hasOwn(sent, name)) return missing(`${at}.${name} is missing`)
    }
    for (const { relation, check } of inside) {
      const found = check(sent[relation.name], `${at}.${relation.name}`)
      if (found !== null) return found
    }
    return null
  }
}

/** Related rows, as a list or for a relation to one row that row; whether they are rows at all is the engine's to say. */
function relatedCheck({ columns }: Relation): (sent: unknown, at: string) => Refusal | null {
  const needed = columns.map(({ name }) => name)
  const known = new Set(needed)
  return (sent, at) => {
    for (const one of [sent].flat()) {
      if (typeof one !== 'object' || one === null) continue
      for (const name of Object.keys(one)) if (!known.has(name)) return unknown(at, needed)
      for (const name of needed) if (!Object.hasOwn(one, name)) return missing(`${at}.${name} is missing`)
    }
    return null
  }
}

function relatedChanges({ relations }: Resource, changes: unknown): Refusal | null {
  if (relations.length === 0 || typeof changes !== 'object' || changes === null) return null
  for (const relation of relations) {
    if (!Object.hasOwn(changes, relation.name)) continue
    const sent = (changes as Sent)[relation.name]
    const found = relatedCheck(relation)(sent, `action.properties.changes.${relation.name}`)
    if (found !== null) return found
  }
  return null
}

const missing = (reason: string): Refusal => ({ code: 'invalid_attribute', reason })
const lookup = (reason: string): Refusal => ({ code: 'lookup_attribute', reason })

/** The name itself stays out of the message: it is the caller's, and may be long or hold anything. */
function unknown(at: string, declared: readonly string[]): Refusal {
  return {
    code: 'unknown_attribute',
    reason: `${at} holds an attribute that the policy does not declare; declared: ${declared.join(', ')}`
  }
}
