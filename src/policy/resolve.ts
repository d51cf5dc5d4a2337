import { PolicyError } from '../errors/errors.js'
import { GATES, gateForm } from '../ir/gates.js'
import type { Column, PrincipalAttribute, Resource } from '../ir/model.js'
import { disjuncts } from '../ir/normal-form.js'
import { type Macros, parseMacros, type Surroundings } from './conditions.js'
import { declaredColumns, type Enums, principalAttribute } from './declarations.js'
import { type RuleText, resolveRule, ruleTexts } from './rules.js'
import { type Declared, mapping, section, texts, writtenKey } from './sections.js'
import type { Path, Source } from './source.js'
import { suggest } from './suggest.js'
import { reservedProblems } from './validate.js'

/** More alternatives than this in one gate are refused: neither CASL nor PostgreSQL would check them fast. */
export const MAX_DISJUNCTS = 128

/** What the files declare, names and types resolved. */
export interface Resolved {
  readonly principal: readonly PrincipalAttribute[]
  readonly resources: readonly Resource[]
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
  const resources = [...declared.values()].map(one =>
    resourceOf(one, { traits, enums, principal, macros }, problems)
  )
  const whole = [...principal.values()].filter(attribute => attribute !== null)
  refuseSharedTables(declared, problems)
  return { principal: whole, resources }
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

interface Declarations {
  readonly traits: ReadonlyMap<string, Declared>
  readonly enums: Enums
  readonly principal: ReadonlyMap<string, PrincipalAttribute | null>
  readonly macros: Macros
}

function resourceOf(declared: Declared, all: Declarations, problems: PolicyError[]): Resource {
  const value = mapping(declared.value)
  const traits = usedTraits(declared, all.traits, problems)
  const owners = [...traits, declared]
  const columns = mergedColumns(owners, all.enums, problems)
  const around: Surroundings = {
    resource: declared.name,
    columns,
    complete: traits.length === texts(value['use']).length,
    principal: all.principal,
    macros: all.macros
  }
  const rules = mergedRules(owners, problems)
    .map(text => resolveRule(text, around, problems))
    .filter(rule => rule !== null)
  const resource: Resource = {
    name: declared.name,
    table: typeof value['table'] === 'string' ? value['table'] : null,
    columns: [...columns.values()].filter(column => column !== null).sort(byName),
    rules: rules.sort((a, b) => (a.id < b.id ? -1 : 1)),
    span: declared.source.keySpanOf(declared.path)
  }
  refuseTooComplex(resource, declared, problems)
  if (around.complete) refuseWithoutKey(resource, columns, declared, problems)
  return resource
}

function usedTraits(
  { value, source, path }: Declared,
  traits: ReadonlyMap<string, Declared>,
  problems: PolicyError[]
): readonly Declared[] {
  return texts(mapping(value)['use']).flatMap((name, i) => {
    const trait = traits.get(name)
    if (trait !== undefined) return [trait]
    const span = source.spanOf([...path, 'use', i])
    const hint = suggest(name, [...traits.keys()], 'traits')
    problems.push(new PolicyError('TWR_POLICY_UNKNOWN_TRAIT', `unknown trait \`${name}\``, span, hint))
    return []
  })
}

function mergedColumns(
  owners: readonly Declared[],
  enums: Enums,
  problems: PolicyError[]
): ReadonlyMap<string, Column | null> {
  const merged = new Map<string, Column | null>()
  for (const { value, source, path } of owners) {
    const at = [...path, 'columns']
    const own = declaredColumns(mapping(mapping(value)['columns']), enums, source, at, problems)
    problems.push(...reservedProblems(source, at, [...own.keys()]))
    for (const [name, column] of own) {
      if (merged.has(name)) problems.push(clash('column', name, source, [...at, name]))
      else merged.set(name, column)
    }
  }
  return merged
}

function mergedRules(owners: readonly Declared[], problems: PolicyError[]): readonly RuleText[] {
  const merged = new Map<string, RuleText>()
  for (const text of owners.flatMap(ruleTexts)) {
    if (merged.has(text.id)) problems.push(clash('rule', text.id, text.source, text.path))
    else merged.set(text.id, text)
  }
  return [...merged.values()]
}

function clash(what: 'column' | 'rule', name: string, source: Source, path: Path): PolicyError {
  const hint = 'the resource and the traits that it uses share one name space'
  return new PolicyError(
    'TWR_POLICY_DUPLICATE',
    `the ${what} \`${name}\` is declared twice`,
    source.keySpanOf(path),
    hint
  )
}

function refuseTooComplex(resource: Resource, { source, path }: Declared, problems: PolicyError[]): void {
  for (const gate of GATES) {
    if (disjuncts(gateForm(resource, gate), MAX_DISJUNCTS) !== null) continue
    const message = `the rules of ${resource.name} have more than ${MAX_DISJUNCTS} alternatives for ${gate}`
    problems.push(
      new PolicyError(
        'TWR_POLICY_TOO_COMPLEX',
        message,
        source.keySpanOf(path),
        'factor out what the rules share'
      )
    )
    return
  }
}

/** A stored row is found by its id, so a resource with a table has one. */
function refuseWithoutKey(
  resource: Resource,
  columns: ReadonlyMap<string, Column | null>,
  { source, path }: Declared,
  problems: PolicyError[]
): void {
  if (resource.table === null || columns.get('id') === null) return
  const id = columns.get('id')
  if (id?.type.kind === 'uuid' && !id.nullable) return
  const message = `${resource.name} has a table and no column \`id: uuid!\``
  problems.push(
    new PolicyError('TWR_POLICY_SCHEMA', message, source.keySpanOf(path), 'requests name a row by its id')
  )
}

/** One table, one resource: two would be two sets of policies on it, which PostgreSQL would join with OR. */
function refuseSharedTables(declared: ReadonlyMap<string, Declared>, problems: PolicyError[]): void {
  const owners = new Map<unknown, string>()
  for (const { name, value, source, path } of declared.values()) {
    const table = mapping(value)['table']
    if (typeof table !== 'string') continue
    const other = owners.get(table)
    if (other === undefined) owners.set(table, name)
    else {
      const message = `the table \`${table}\` is already the one of ${other}`
      problems.push(new PolicyError('TWR_POLICY_DUPLICATE', message, source.spanOf([...path, 'table'])))
    }
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
