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

/** Which part of which rules: some of them must be true. */
interface GatePart {
  readonly action: Action
  readonly part: 'when' | 'check'
}

/**
 * What a gate is made of: the rules that it is about, and what must hold beside them. Update and delete also need
 * read, of the old row and for update of the new one too, because PostgreSQL demands it wherever a statement has a
 * WHERE or RETURNING (manual, CREATE POLICY, table "Policies Applied by Command Type").
 */
const PARTS: Readonly<Record<Gate, { readonly own: GatePart; readonly also: readonly GatePart[] }>> = {
  read: { own: { action: 'read', part: 'when' }, also: [] },
  create: { own: { action: 'create', part: 'check' }, also: [] },
  update: { own: { action: 'update', part: 'when' }, also: [{ action: 'read', part: 'when' }] },
  update_new: { own: { action: 'update', part: 'check' }, also: [{ action: 'read', part: 'when' }] },
  delete: { own: { action: 'delete', part: 'when' }, also: [{ action: 'read', part: 'when' }] }
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
  const { own, also } = PARTS[gate]
  const parts = [own, ...also].map(({ action, part }) => partForm(rulesFor(resource, action), part))
  return and([normalize(KNOWN_PRINCIPAL), ...parts])
}

/** The rules that can open a gate, in the order of their ids. */
export function gateRules(resource: Resource, gate: Gate): readonly Rule[] {
  return rulesFor(resource, PARTS[gate].own.action)
}

/** The share of one of `gateRules` in a gate: the gate is open exactly when the share of some rule is true. */
export function ruleForm(resource: Resource, gate: Gate, rule: Rule): Nnf {
  const { own, also } = PARTS[gate]
  const beside = also.map(({ action, part }) => anyRule(rulesFor(resource, action), part))
  return and([normalize(KNOWN_PRINCIPAL), normalize(rule[own.part]), ...beside])
}

/** Whether a gate is open, by the reference interpreter on the conditions as written: the definition. */
export function gateOpen(resource: Resource, gate: Gate, at: Case): boolean {
  const { own, also } = PARTS[gate]
  return (
    evaluate(KNOWN_PRINCIPAL, at) === true &&
    [own, ...also].every(({ action, part }) =>
      rulesFor(resource, action).some(rule => evaluate(rule[part], at) === true)
    )
  )
}

function rulesFor(resource: Resource, action: Action): readonly Rule[] {
  return resource.rules.filter(rule => rule.actions.includes(action))
}
