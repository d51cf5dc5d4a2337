import { type Case, evaluate } from './evaluate.js'
import type { Condition } from './formula.js'
import type { Action, Resource, Rule } from './model.js'
import { and, type Nnf, normalize, or } from './normal-form.js'

/**
 * The five questions both locks answer, each about one row. PostgreSQL asks them as SELECT USING, INSERT WITH CHECK,
 * UPDATE USING, UPDATE WITH CHECK and DELETE USING; the app as CASL actions of the same names.
 */
export const GATES = ['read', 'create', 'update', 'update_new', 'delete'] as const
/** One of the five questions. */
export type Gate = (typeof GATES)[number]

/** What an action asks, of which row. An action is allowed when each of its gates is open. */
export const GATES_OF_ACTION: Readonly<Record<Action, readonly { gate: Gate; row: 'old' | 'new' }[]>> = {
  read: [{ gate: 'read', row: 'old' }],
  create: [{ gate: 'create', row: 'new' }],
  update: [
    { gate: 'update', row: 'old' },
    { gate: 'update_new', row: 'new' }
  ],
  delete: [{ gate: 'delete', row: 'old' }]
}

/** The rule parts a gate is made of: all of them must be open. */
interface GatePart {
  readonly action: Action
  readonly part: 'when' | 'check'
}

/**
 * Update and delete also need read, of the old row and for update of the new one too, because PostgreSQL demands it
 * wherever a statement has a WHERE or RETURNING (manual, CREATE POLICY, table "Policies Applied by Command Type").
 */
const PARTS: Readonly<Record<Gate, readonly GatePart[]>> = {
  read: [{ action: 'read', part: 'when' }],
  create: [{ action: 'create', part: 'check' }],
  update: [
    { action: 'update', part: 'when' },
    { action: 'read', part: 'when' }
  ],
  update_new: [
    { action: 'update', part: 'check' },
    { action: 'read', part: 'when' }
  ],
  delete: [
    { action: 'delete', part: 'when' },
    { action: 'read', part: 'when' }
  ]
}

/** Nobody is nobody: without an id there is no principal, and without a principal nothing is allowed. */
const KNOWN_PRINCIPAL: Condition = {
  kind: 'not',
  of: {
    kind: 'atom',
    atom: { kind: 'null', term: { kind: 'principal', name: 'id', type: { kind: 'uuid' } } }
  }
}

/** The form of one part of a gate, from the rules that allow its action. The SQL backend has one per role. */
export type PartForm = (rules: readonly Rule[], part: 'when' | 'check') => Nnf

/** Some rule is definitely true. */
export const anyRule: PartForm = (rules, part) => or(rules.map(rule => normalize(rule[part])))

/** The normal form of a gate: the formula from which every backend is made. */
export function gateForm(resource: Resource, gate: Gate, partForm: PartForm = anyRule): Nnf {
  const parts = PARTS[gate].map(({ action, part }) => partForm(rulesFor(resource, action), part))
  return and([normalize(KNOWN_PRINCIPAL), ...parts])
}

/** Whether a gate is open, by the reference interpreter on the conditions as written: the definition. */
export function gateOpen(resource: Resource, gate: Gate, at: Case): boolean {
  return (
    evaluate(KNOWN_PRINCIPAL, at) === true &&
    PARTS[gate].every(({ action, part }) =>
      rulesFor(resource, action).some(rule => evaluate(rule[part], at) === true)
    )
  )
}

/** The rules that allow an action, in the order of their ids. */
export function rulesFor(resource: Resource, action: Action): readonly Rule[] {
  return resource.rules.filter(rule => rule.actions.includes(action))
}
