import { PolicyError } from '../errors/errors.js'
import {
  ACTIONS,
  type AddedAction,
  CONTEXT_MODES,
  type ContextMode,
  type Invariant,
  type PrincipalAttribute,
  type Resource
} from '../ir/model.js'
import { parseMacros, type Surroundings } from './conditions.js'
import { type Enums, principalAttribute } from './declarations.js'
import { resolveInvariants } from './invariants.js'
import { refuseSharedTables, refuseTooComplex, refuseWithoutKey } from './refusals.js'
import { linkReadable, type Outline, resolveRelations } from './relations.js'
import { type Declarations, outlineOf, resolveResource, surroundingsOf } from './resources.js'
import { type Declared, mapping, section, texts, writtenKey } from './sections.js'
import type { Source } from './source.js'

/** What the files declare, names and types resolved. */
export interface Resolved {
  readonly context: ContextMode
  readonly actions: readonly AddedAction[]
  readonly principal: readonly PrincipalAttribute[]
  readonly resources: readonly Resource[]
  readonly invariants: readonly Invariant[]
}

/** Resolves all files together. Every mistake is reported; the result is complete only when there was none. */
export function resolve(sources: readonly Source[], problems: PolicyError[]): Resolved {
  const enums: Enums = new Map(
    [...section(sources, 'enums', problems)].map(([name, { value }]) => [name, labelsOf(value)])
  )
  const principal = principalOf(section(sources, 'principal', problems), enums, sources, problems)
  const macros = parseMacros(section(sources, 'macros', problems), problems)
  const traits = section(sources, 'traits', problems)
  const declared = section(sources, 'resources', problems)
  const actions = addedActions(section(sources, 'actions', problems), problems)
  const outlines = new Map(
    [...declared.values()].map(one => [one.name, outlineOf(one, traits, enums, problems)])
  )
  const all = { actions, principal, macros }
  const made = resolveResources(outlines, enums, all, problems)
  const arounds = new Map(made.map(({ around }) => [around.resource, around]))
  const invariants = resolveInvariants(sources, arounds, actions, problems)
  const whole = [...principal.values()].filter(attribute => attribute !== null)
  refuseSharedTables(declared, problems)
  const context = contextOf(sources, problems)
  return { context, actions, principal: whole, resources: made.map(({ resource }) => resource), invariants }
}

/** Resources refer to each other by relations, so all of them are outlined before the rules of any are read. */
function resolveResources(
  outlines: ReadonlyMap<string, Outline>,
  enums: Enums,
  all: Declarations,
  problems: PolicyError[]
): readonly { readonly resource: Resource; readonly around: Surroundings }[] {
  const made = [...outlines.values()].map(outline => {
    const around = surroundingsOf(outline, resolveRelations(outline, outlines, enums, problems), all)
    return { outline, around, resource: resolveResource(outline, around, all, problems) }
  })
  const resources = new Map(made.map(({ resource }) => [resource.name, resource]))
  for (const { around } of made) linkReadable(around.relations, resources, problems)
  for (const { outline, resource } of made) {
    refuseTooComplex(resource, all.actions, outline.declared, problems)
    if (outline.complete) refuseWithoutKey(resource, outline.columns, outline.declared, problems)
  }
  return made
}

/** The context mode of the policy: files that say nothing leave it to the others. */
function contextOf(sources: readonly Source[], problems: PolicyError[]): ContextMode {
  let first: { readonly mode: ContextMode; readonly source: Source } | null = null
  for (const source of sources) {
    const mode = CONTEXT_MODES.find(one => one === mapping(source.value)['context'])
    if (mode === undefined) continue
    first ??= { mode, source }
    if (mode === first.mode) continue
    const { file, line } = first.source.keySpanOf(['context'])
    problems.push(
      new PolicyError(
        'TWR_POLICY_DUPLICATE',
        `the context is ${mode} here and ${first.mode} elsewhere`,
        source.keySpanOf(['context']),
        `a policy has one context; the other stands in ${file}:${line}`
      )
    )
  }
  return first?.mode ?? 'signed'
}

/** The actions that the policy adds, sorted by name. */
function addedActions(
  declared: ReadonlyMap<string, Declared>,
  problems: PolicyError[]
): readonly AddedAction[] {
  return [...declared.values()].flatMap(({ name, value, source, path }) => {
    if ((ACTIONS as readonly string[]).includes(name) || name === 'update_new') {
      const hint = 'every resource has it; declare only actions that you add'
      problems.push(
        new PolicyError('TWR_POLICY_RESERVED', `\`${name}\` is built in`, source.keySpanOf(path), hint)
      )
      return []
    }
    const command = ACTIONS.find(one => one === mapping(value)['command']) ?? null
    return [{ name, command }]
  })
}

function labelsOf(value: unknown): readonly string[] | null {
  const labels = texts(value)
  return labels.length > 0 ? labels : null
}

function principalOf(
  declared: ReadonlyMap<string, Declared>,
  enums: Enums,
  sources: readonly Source[],
  problems: PolicyError[]
): ReadonlyMap<string, PrincipalAttribute | null> {
  const principal = new Map(
    [...declared.values()].map(({ name, value, source, path }) => [
      name,
      principalAttribute(name, value, enums, source, path, problems)
    ])
  )
  refuseRoles(declared, problems)
  const first = sources.find(({ value }) => Object.keys(mapping(value)).length > 0)
  if (!principal.has('id') && first !== undefined) {
    const at =
      sources.find(source => Object.hasOwn(mapping(source.value), writtenKey(source, 'principal'))) ?? first
    const span = at.keySpanOf([writtenKey(at, 'principal')])
    problems.push(
      new PolicyError(
        'TWR_POLICY_PRINCIPAL_ID',
        'the principal has no id',
        span,
        'declare principal: { id: uuid }'
      )
    )
  }
  return principal
}

/** The PostgreSQL roles that twinrule or the server has its own use for. */
const TAKEN_ROLES = /^(?:twinrule_.*|pg_.*|public|postgres|none|current_user|session_user|current_role|user)$/

/** A role flag's role must be its own: two policies for one role would be joined with OR. */
function refuseRoles(declared: ReadonlyMap<string, Declared>, problems: PolicyError[]): void {
  const owners = new Map<string, string>()
  for (const { name, value, source, path } of declared.values()) {
    const role = mapping(value)['role']
    if (typeof role !== 'string') continue
    const other = owners.get(role)
    const span = source.keySpanOf(path)
    if (TAKEN_ROLES.test(role)) {
      const hint = 'choose a role that exists for this flag alone, for example authz_<role>'
      problems.push(new PolicyError('TWR_POLICY_RESERVED', `the role \`${role}\` is taken`, span, hint))
    } else if (other !== undefined) {
      problems.push(
        new PolicyError('TWR_POLICY_DUPLICATE', `the role \`${role}\` is already the one of ${other}`, span)
      )
    } else owners.set(role, name)
  }
}
