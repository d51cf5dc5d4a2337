import { type Case, evaluate } from './evaluate.js'
import type { Condition } from './formula.js'
import { ACTIONS, type Action, type Bundle, type Resource, type Rule } from './model.js'
import { and, type Nnf, normalize, or } from './normal-form.js'

/**
 * The five questions both locks answer, each about one row. PostgreSQL asks them as SELECT USING, INSERT WITH CHECK,
 * UPDATE USING, UPDATE WITH CHECK and DELETE USING; the app as CASL actions of the same names.
 */
export const GATES = ['read', 'create', 'update', 'update_new', 'delete'] as const
/** One of the five questions. */
export type CommandGate = (typeof GATES)[number]
/** A question: one of the five, or that of an action which a policy adds and only the app asks. */
export type Gate = CommandGate | `action:${string}`

/** What an action asks, of which row. */
export interface GateQuestion {
  readonly gate: Gate
  readonly row: 'old' | 'new'
}

const QUESTIONS: Readonly<Record<Action, readonly GateQuestion[]>> = {
  read: [{ gate: 'read', row: 'old' }],
  create: [{ gate: 'create', row: 'new' }],
  update: [
    { gate: 'update', row: 'old' },
    { gate: 'update_new', row: 'new' }
  ],
  delete: [{ gate: 'delete', row: 'old' }]
}

/** Every gate of a policy, those of added actions last. */
export function gatesOf({ actions }: Pick<Bundle, 'actions'>): readonly Gate[] {
  return [...GATES, ...actions.map(({ name }) => `action:${name}` as const)]
}

/** What an action asks: it is allowed when each of its gates is open. Null when there is no such action. */
export function questionsOf(bundle: Bundle, action: string): readonly GateQuestion[] | null {
  const own = ACTIONS.find(one => one === action)
  if (own !== undefined) return QUESTIONS[own]
  const added = bundle.actions.find(({ name }) => name === action)
  if (added === undefined) return null
  const gate = { gate: `action:${added.name}`, row: added.command === 'create' ? 'new' : 'old' } as const
  return [gate, ...(added.command === null ? [] : QUESTIONS[added.command])]
}

/** Which part of which rules. */
interface GatePart {
  readonly action: string
  readonly part: 'when' | 'check'
}

interface GateParts {
  readonly own: GatePart
  readonly also: readonly GatePart[]
}

const READ: GatePart = { action: 'read', part: 'when' }

/**
 * What a gate is made of: the rules that it is about, and what must hold beside them. Update and delete also need
 * read, of the old row and for update of the new one too, because PostgreSQL demands it wherever a statement has a
 * WHERE or RETURNING (manual, CREATE POLICY, table "Policies Applied by Command Type").
 */
const PARTS: Readonly<Record<CommandGate, GateParts>> = {
  read: { own: READ, also: [] },
  create: { own: { action: 'create', part: 'check' }, also: [] },
  update: { own: { action: 'update', part: 'when' }, also: [READ] },
  update_new: { own: { action: 'update', part: 'check' }, also: [READ] },
  delete: { own: { action: 'delete', part: 'when' }, also: [READ] }
}

function partsOf(gate: Gate): GateParts {
  if (Object.hasOwn(PARTS, gate)) return PARTS[gate as CommandGate]
  return { own: { action: gate.slice('action:'.length), part: 'when' }, also: [] }
}

/** Nobody is nobody: without an id there is no principal, and without a principal nothing is allowed. */
export const KNOWN_PRINCIPAL: Condition = {
  kind: 'not',
  of: {
    kind: 'atom',
    atom: { kind: 'null', term: { kind: 'principal', name: 'id', type: { kind: 'uuid' } } }
  }
}

/** The form of "some allow rule counts" of one part of a gate. The SQL backend has one per role. */
export type PartForm = (rules: readonly Rule[], part: 'when' | 'check') => Nnf

/** Some rule is definitely true. */
export const anyRule: PartForm = (rules, part) => or(rules.map(rule => normalize(rule[part])))

/** The normal form of a gate: the formula from which every backend is made. */
export function gateForm(resource: Resource, gate: Gate, partForm: PartForm = anyRule): Nnf {
  const forbids = gateForbids(resource, gate).map(({ cleared }) => cleared)
  return and([allowForm(resource, gate, partForm), ...forbids])
}

/** The normal form of a gate, forbids aside. */
export function allowForm(resource: Resource, gate: Gate, partForm: PartForm = anyRule): Nnf {
  const { own, also } = partsOf(gate)
  const allows = [own, ...also].map(one => partForm(rulesFor(resource, 'allow', one), one.part))
  return and([normalize(KNOWN_PRINCIPAL), ...allows])
}

/** One demand of a gate: some of its allow rules is true and all of its forbid rules are false, of one part of them. */
export interface GateDemand {
  readonly action: string
  readonly part: 'when' | 'check'
  readonly allows: readonly Rule[]
  readonly forbids: readonly Rule[]
}

/** What a gate demands, beside that the principal is known: that of its own action, then that of read. */
export function gateDemands(resource: Resource, gate: Gate): readonly GateDemand[] {
  const { own, also } = partsOf(gate)
  return [own, ...also].map(one => ({
    ...one,
    allows: rulesFor(resource, 'allow', one),
    forbids: rulesFor(resource, 'forbid', one)
  }))
}

/** The allow rules that can open a gate, in the order of their ids. */
export function gateRules(resource: Resource, gate: Gate): readonly Rule[] {
  return rulesFor(resource, 'allow', partsOf(gate).own)
}

/**
 * The share of one of `gateRules` in a gate, forbids aside: the gate is open exactly when the share of some rule is
 * true and every forbid is cleared.
 */
export function ruleForm(resource: Resource, gate: Gate, rule: Rule): Nnf {
  const { own, also } = partsOf(gate)
  const beside = also.map(one => anyRule(rulesFor(resource, 'allow', one), one.part))
  return and([normalize(KNOWN_PRINCIPAL), normalize(rule[own.part]), ...beside])
}

/** The forbid rules that can close a gate. `cleared` is true when the rule is definitely false, so does not count. */
export function gateForbids(
  resource: Resource,
  gate: Gate
): readonly { readonly rule: Rule; readonly cleared: Nnf }[] {
  const { own, also } = partsOf(gate)
  return [own, ...also].flatMap(one =>
    rulesFor(resource, 'forbid', one).map(rule => ({ rule, cleared: normalize(rule[one.part], true) }))
  )
}

/** Every condition that a gate is made of, as it was written: what `gateOpen` reads, and nothing else. */
export function gateConditions(
  resource: Resource,
  gate: Gate,
  effects: readonly Rule['effect'][] = ['allow', 'forbid']
): readonly Condition[] {
  const { own, also } = partsOf(gate)
  const parts = [own, ...also].flatMap(one =>
    effects.flatMap(effect => rulesFor(resource, effect, one).map(rule => rule[one.part]))
  )
  return [KNOWN_PRINCIPAL, ...parts]
}

/** A condition that is definitely true exactly when a gate is open: the parts of `gateOpen`, joined to one. */
export function gateCondition(resource: Resource, gate: Gate): Condition {
  const { own, also } = partsOf(gate)
  const parts = [own, ...also].flatMap((one): readonly Condition[] => [
    { kind: 'or', of: rulesFor(resource, 'allow', one).map(rule => rule[one.part]) },
    ...rulesFor(resource, 'forbid', one).map(rule => ({ kind: 'not', of: rule[one.part] }) as const)
  ])
  return { kind: 'and', of: [KNOWN_PRINCIPAL, ...parts] }
}

/** Whether a gate is open, by the reference interpreter on the conditions as written: the definition. */
export function gateOpen(resource: Resource, gate: Gate, at: Case): boolean {
  return gateOpener(resource, gate)(at)
}

/** `gateOpen` of one gate, for those who ask it of many cases. */
export function gateOpener(resource: Resource, gate: Gate): (at: Case) => boolean {
  const { own, also } = partsOf(gate)
  const parts = [own, ...also].map(one => ({
    allow: rulesFor(resource, 'allow', one).map(rule => rule[one.part]),
    forbid: rulesFor(resource, 'forbid', one).map(rule => rule[one.part])
  }))
  return at =>
    evaluate(KNOWN_PRINCIPAL, at) === true &&
    parts.every(
      ({ allow, forbid }) =>
        allow.some(one => evaluate(one, at) === true) && forbid.every(one => evaluate(one, at) === false)
    )
}

/** Why an update cannot change an immutable column, in words. */
export function immutableReason({ name, softDelete }: Resource, column: string): string {
  return `${name}.${column} ${column === softDelete ? 'is set by a soft delete alone' : 'never changes'}`
}

/** What keeps an update from changing a column: nobody may, or the rule of a group of columns. */
export type ColumnBar = { readonly kind: 'immutable' } | { readonly kind: 'rule'; readonly index: number }

/**
 * The first thing that forbids changing some columns, asked of the row as it was, or null: by the reference
 * interpreter. Column rules that name a column must all be true.
 */
export function columnBar(resource: Resource, changed: readonly string[], at: Case): ColumnBar | null {
  if (changed.some(column => resource.immutable.includes(column))) return { kind: 'immutable' }
  const index = resource.columnRules.findIndex(
    ({ columns, when }) => columns.some(column => changed.includes(column)) && evaluate(when, at) !== true
  )
  return index < 0 ? null : { kind: 'rule', index }
}

/** The columns whose value differs between two rows of canonical values. Lists differ by order, as in SQL. */
export function changedColumns(resource: Resource, old: Case['row'], next: Case['row']): readonly string[] {
  return resource.columns
    .map(({ name }) => name)
    .filter(name => {
      const [a, b] = [old[name] ?? null, next[name] ?? null]
      if (!Array.isArray(a) || !Array.isArray(b)) return a !== b
      return a.length !== b.length || a.some((item, i) => item !== b[i])
    })
}

function rulesFor(resource: Resource, effect: Rule['effect'], { action }: GatePart): readonly Rule[] {
  return resource.rules.filter(rule => rule.effect === effect && rule.actions.includes(action))
}
