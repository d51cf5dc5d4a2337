import { InternalError } from '../../errors/errors.js'
import type { Related, Values } from '../../ir/evaluate.js'
import type { Bundle, Resource } from '../../ir/model.js'
import type { DecisionRequest } from '../request.js'
import { type Constraints, constraintsOf, NO_CHANGES, type State } from './constraints.js'
import type { Asked } from './demands.js'
import type { JsonRow, NearestGrant } from './explanation.js'
import { search } from './search.js'
import { jsonRow } from './trace.js'

/** How far the search for the nearest grant goes. */
export interface NearestOptions {
  /** The most steps of a grant, 3 unless given. 0 asks for none. */
  readonly maxSteps?: number
  /** The most requests that are tried, 50,000 unless given: some tenths of a second. */
  readonly maxTries?: number
}

/** Finds the nearest grant of a denied request. */
export type NearestSearch = (
  request: DecisionRequest,
  state: State,
  asked: Asked,
  options: NearestOptions
) => NearestGrant

const MAX_STEPS = 3
const MAX_TRIES = 50_000

/**
 * Makes the search of a policy. The constraints of an action are compiled when they are first needed.
 *
 * @param decides whether the engine allows a request, to make sure of what was found
 */
export function nearestSearch(
  bundle: Bundle,
  decides: (request: DecisionRequest, now: Asked['now']) => boolean
): NearestSearch {
  const compiled = new Map<string, Constraints>()
  return (request, state, asked, { maxSteps = MAX_STEPS, maxTries = MAX_TRIES }) => {
    const { resource, action, questions, changes, now } = asked
    // without an id there is no principal whom anything could be granted
    if (maxSteps === 0 || (asked.principal['id'] ?? null) === null) return { outcome: 'none', steps: 0 }
    const key = `${resource.name} ${action}`
    const constraints = compiled.get(key) ?? constraintsOf(resource, questions, changes)
    compiled.set(key, constraints)
    const limits = { steps: maxSteps, tries: maxTries }
    const { nearest, states } = search({ bundle, resource, constraints, state, now }, limits)
    for (const found of states) {
      // safety: advice that would not help is a fault of the search, and must not reach anybody
      if (!decides(requestOf(bundle, resource, request, found), now))
        throw new InternalError(`a grant that was found for ${action} on ${resource.name} is none`)
    }
    return nearest
  }
}

/** The request as the search changes it. */
export function stateOf({ principal, rows, sent, changes }: Asked): State {
  if (!changes) return { principal, old: rows.old, changes: NO_CHANGES }
  const own = Object.entries(rows.new).filter(([name]) => sent.includes(name))
  return { principal, old: rows.old, changes: Object.fromEntries(own) }
}

/** A request with other attributes. */
export function requestOf(
  bundle: Bundle,
  resource: Resource,
  { subject, action, resource: asked }: DecisionRequest,
  { principal, old, changes }: State
): DecisionRequest {
  const attributes = bundle.principal.filter(({ name }) => name !== 'id')
  return {
    subject: {
      ...subject,
      properties: jsonRow(
        attributes.map(one => ({ ...one, nullable: true })),
        principal
      )
    },
    action: { ...action, properties: { changes: attributesOf(resource, changes) } },
    resource: { ...asked, properties: attributesOf(resource, old) }
  }
}

/** Those columns and relations of a resource that some values have, as a request carries them. */
function attributesOf({ columns, relations }: Resource, values: Values): JsonRow {
  const related = relations.flatMap(({ name, columns: own }) => {
    const rows = values[name] as readonly Related[] | undefined
    return rows === undefined ? [] : [[name, rows.map(row => jsonRow(own, row))] as const]
  })
  const present = columns.filter(({ name }) => Object.hasOwn(values, name))
  return { ...jsonRow(present, values), ...Object.fromEntries(related) }
}
