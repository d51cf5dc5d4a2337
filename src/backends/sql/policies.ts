import type { Condition, ReadRules, Relation, Term } from '../../ir/formula.js'
import { anyRule, type CommandGate, gateForm, type PartForm } from '../../ir/gates.js'
import { type Bundle, deletesByStatement, type Resource, type Rule } from '../../ir/model.js'
import { and, anyOf, literal, type Nnf, normalize, or } from '../../ir/normal-form.js'
import { flaggedRole } from '../../ir/principal.js'
import { block, type Fragment, id, join, sql } from './fragment.js'
import { type Command, commandSql, grantObject, type TableGrant } from './grants.js'
import { guarded, openHalf } from './guarded.js'
import { boundedName, ROLES } from './names.js'
import type { SqlObject } from './object.js'
import { type Row, tableRow } from './terms.js'

/** A PostgreSQL role that has policies, and the role flag by which it is entered; the app role has none. */
export interface RoleView {
  readonly role: string
  readonly flag: string | null
}

/** The roles that get policies: the app role, then the role of each role flag. */
export function roleViews(bundle: Bundle): readonly RoleView[] {
  const flagged = bundle.principal.flatMap(({ name, role }) =>
    role === undefined ? [] : [{ role, flag: name }]
  )
  return [{ role: ROLES.app, flag: null }, ...flagged]
}

/** Where PostgreSQL asks a gate (manual, CREATE POLICY). */
const COMMANDS = {
  SELECT: { using: 'read', check: null },
  INSERT: { using: null, check: 'create' },
  UPDATE: { using: 'update', check: 'update_new' },
  DELETE: { using: 'delete', check: null }
} as const satisfies Record<Command, { using: CommandGate | null; check: CommandGate | null }>

/**
 * The form of a gate as a role sees it.
 *
 * A rule that reads only a role flag belongs to the flag's own role and decides alone there, by a test that runs once
 * a statement; in the app role it would be an OR branch that costs the index. So a principal with the flag has all its
 * rights after entering the flag's role, and nobody gains by entering it without the flag.
 */
export function viewForm(resource: Resource, gate: CommandGate, view: RoleView): Nnf {
  return seenAs(view, gateForm(resource, gate, partFormIn(view)))
}

/** The rules that a role has, of those of one part of a gate. */
export function partFormIn(view: RoleView): PartForm {
  return (rules, part) => {
    const own = rules.filter(rule => soleFlag(rule) === view.flag)
    return anyRule(view.flag === null || own.length > 0 ? own : rules, part)
  }
}

/** A form that is closed to principals in a role that hides from them what forbids. */
export function seenAs(view: RoleView, form: Nnf): Nnf {
  return and([form, ...demandsIn(view, form)])
}

/** What a role demands of the principal beside a form, where it hides some of what forbids. */
export function demandsIn(view: RoleView, form: Nnf): readonly Nnf[] {
  const seen = blockers(form).flatMap(({ readable }) => readable ?? [])
  const own = seen.flatMap(({ allow }) => allow.flatMap(one => flagOf(one) ?? []))
  const entered = seen.flatMap(rulesOf).some(one => readsFlag(one, view.flag))
  return [
    ...own.map(flag => flagTest(flag, flag === view.flag)),
    ...(view.flag !== null && entered ? [flagTest(view.flag, true)] : [])
  ]
}

/** Whether roles see different related rows of those that a form speaks of. */
export function dependsOnRole(form: Nnf, views: readonly RoleView[]): boolean {
  if (form.kind === 'and' || form.kind === 'or') return form.of.some(part => dependsOnRole(part, views))
  if (form.kind !== 'exists' && form.kind !== 'every') return false
  const { readable } = form.relation
  return readable !== null && rulesOf(readable).some(one => views.some(({ flag }) => readsFlag(one, flag)))
}

/**
 * The relations whose rows forbid.
 * safety: in a role, row-level security shows the related rows of that role, and only to whoever entered it with leave.
 * Where they forbid, a principal who is in another role, or in this one without leave, would see fewer of them and be
 * allowed more, so such a gate is closed to it.
 */
function blockers(form: Nnf): readonly Relation[] {
  if (form.kind === 'and' || form.kind === 'or') return form.of.flatMap(blockers)
  return form.kind === 'every' ? [form.relation] : []
}

function rulesOf({ allow, forbid }: ReadRules): readonly Condition[] {
  return [...allow, ...forbid]
}

/** Whether a condition reads a role flag, alone or beside other things. */
function readsFlag(condition: Condition, flag: string | null): boolean {
  switch (condition.kind) {
    case 'const':
      return false
    case 'and':
    case 'or':
      return condition.of.some(part => readsFlag(part, flag))
    case 'not':
    case 'exists':
      return readsFlag(condition.of, flag)
    case 'atom':
      return Object.values(condition.atom).some(
        (part: Term | string) => typeof part === 'object' && part.kind === 'principal' && part.name === flag
      )
  }
}

function flagTest(name: string, held: boolean): Nnf {
  const flag = { kind: 'principal', name, type: { kind: 'bool' } } as const
  const right = { kind: 'literal', value: true, type: { kind: 'bool' } } as const
  const is = (negated: boolean) => literal({ kind: 'eq', left: flag, right }, negated)
  return held ? is(false) : or([is(true), literal({ kind: 'null', term: flag }, false)])
}

/** The SQL of a gate as a role sees it, or null when it is never open. */
export function gateSql(resource: Resource, gate: CommandGate, view: RoleView, indent = 0): Fragment | null {
  const form = viewForm(resource, gate, view)
  if (form.kind === 'const' && !form.value) return null
  return guarded(form, indent, rowOf(resource, view))
}

/** The same for a USING, where the half that finds an index stands before it. */
function usingSql(resource: Resource, gate: CommandGate, view: RoleView, indent: number): Fragment | null {
  const form = viewForm(resource, gate, view)
  const guard = gateSql(resource, gate, view, indent)
  const open = openHalf(form, indent, rowOf(resource, view))
  return guard === null || open === null ? guard : block([open, guard], 'AND', indent)
}

function rowOf({ table, name }: Resource, view: RoleView): Row {
  return tableRow(table ?? name, { readable: readableFor(view), entered: view.flag })
}

/** What a role may read of another table, by the same split of rules. */
export function readableFor(view: RoleView): (all: readonly Condition[]) => Nnf {
  return all => {
    if (view.flag === null) return anyOf(all.filter(one => flagOf(one) === null))
    const own = all.filter(one => flagOf(one) === view.flag)
    return anyOf(own.length > 0 ? own : all)
  }
}

/** The principal's role flag that a rule reads and nothing else, or null. */
function soleFlag(rule: Rule): string | null {
  const flag = flagOf(rule.when)
  return flag !== null && flagOf(rule.check) === flag ? flag : null
}

function flagOf(condition: Condition): string | null {
  const form = normalize(condition)
  if (form.kind !== 'literal' || form.negated || form.atom.kind !== 'eq') return null
  const { left, right } = form.atom
  const bare = left.kind === 'principal' && right.kind === 'literal' && right.value === true
  return bare && flaggedRole(left.name) !== null ? left.name : null
}

/** Everything generated on one table: row-level security itself, a policy per command and role, and the grants. */
export function tableObjects(resource: Resource, bundle: Bundle): readonly SqlObject[] {
  if (resource.table === null) return []
  const views = roleViews(bundle)
  return [
    rlsObject(resource.table),
    ...views.flatMap(view =>
      commandsOf(resource, view).map(made => policyObject(resource.table ?? '', view, made))
    ),
    ...views.map(view => grantObject(grantOf(resource, view)))
  ]
}

function grantOf(resource: Resource, view: RoleView): TableGrant {
  // a rule about a role flag alone counts in the flag's own role, so in the app role it lets nobody change anything
  const barred = resource.columnRules.filter(({ when, through }) => {
    const form = normalize(when)
    const never = (form.kind === 'const' && !form.value) || (view.flag === null && flagOf(when) !== null)
    // what a function writes is not written otherwise
    return never || through !== null
  })
  return {
    table: resource.table ?? '',
    role: view.role,
    commands: commandsOf(resource, view).flatMap(({ command }) =>
      // safety: whoever holds DELETE may LOCK TABLE in every mode, and so keep everybody from the table
      command === 'DELETE' && !deletesByStatement(resource) ? [] : [command]
    ),
    unchangeable: [...new Set([...resource.immutable, ...barred.flatMap(({ columns }) => columns)])].sort()
  }
}

interface CommandSql {
  readonly command: Command
  readonly clauses: readonly Fragment[]
}

/** The commands that a role may use at all. A command without a policy is denied by PostgreSQL. */
function commandsOf(resource: Resource, view: RoleView): readonly CommandSql[] {
  return (Object.keys(COMMANDS) as Command[]).flatMap(command => {
    const gates = COMMANDS[command]
    const using = gates.using === null ? undefined : usingSql(resource, gates.using, view, 4)
    const check = gates.check === null ? undefined : gateSql(resource, gates.check, view, 4)
    // safety: an UPDATE policy without WITH CHECK would let USING judge the new row, so both or none
    if (using === null || check === null) return []
    const clauses = [
      ...(using === undefined ? [] : [sql`  USING (\n    ${using}\n  )`]),
      ...(check === undefined ? [] : [sql`  WITH CHECK (\n    ${check}\n  )`])
    ]
    return [{ command, clauses }]
  })
}

function rlsObject(table: string): SqlObject {
  const target = sql`public.${id(table)}`
  return {
    kind: 'rls',
    name: table,
    table,
    // safety: without FORCE the owner of the table would be outside of every policy
    up: sql`ALTER TABLE ${target} ENABLE ROW LEVEL SECURITY;\nALTER TABLE ${target} FORCE ROW LEVEL SECURITY;`,
    down: sql`ALTER TABLE IF EXISTS ${target} NO FORCE ROW LEVEL SECURITY;\nALTER TABLE IF EXISTS ${target} DISABLE ROW LEVEL SECURITY;`
  }
}

/** The name of a generated policy, by which others can tell it from a hand-written one. */
export function policyName(table: string, command: string, view: RoleView): string {
  const flag = view.flag === null ? '' : `_${view.flag.slice(3)}`
  return boundedName('twinrule_', table, `_${command.toLowerCase()}${flag}`)
}

function policyObject(table: string, view: RoleView, { command, clauses }: CommandSql): SqlObject {
  const name = policyName(table, command, view)
  const target = sql`public.${id(table)}`
  const drop = sql`DROP POLICY IF EXISTS ${id(name)} ON ${target};`
  const create = sql`CREATE POLICY ${id(name)} ON ${target}\n  AS PERMISSIVE FOR ${commandSql(command)} TO ${id(view.role)}\n${join(clauses, '\n')};`
  return { kind: 'policy', name, table, up: join([drop, create], '\n'), down: drop }
}
