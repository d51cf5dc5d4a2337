import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import type { AddedAction, Column, PrincipalAttribute, Resource } from '../ir/model.js'
import { resolveColumnRules, resolveImmutable } from './column-rules.js'
import type { Macros, Surroundings } from './conditions.js'
import { declaredColumns, type Enums } from './declarations.js'
import type { Outline, Relations } from './relations.js'
import { type RuleText, resolveRule, ruleTexts } from './rules.js'
import { type Declared, mapping, texts } from './sections.js'
import type { Path, Source } from './source.js'
import { reservedProblems } from './validate.js'
import { resolveDeleteThrough, resolveSoftDelete } from './write-functions.js'

/** Everything that resources refer to. */
export interface Declarations {
  readonly actions: readonly AddedAction[]
  readonly principal: ReadonlyMap<string, PrincipalAttribute | null>
  readonly macros: Macros
}

/** The columns of a resource and its traits: what is known of it before any rule is. */
export function outlineOf(
  declared: Declared,
  traits: ReadonlyMap<string, Declared>,
  enums: Enums,
  problems: PolicyError[]
): Outline {
  const value = mapping(declared.value)
  const used = usedTraits(declared, traits, problems)
  const owners = [...used, declared]
  return {
    declared,
    owners,
    table: typeof value['table'] === 'string' ? value['table'] : null,
    columns: mergedColumns(owners, enums, problems),
    complete: used.length === texts(value['use']).length
  }
}

/** Everything that a condition of a resource can name. */
export function surroundingsOf(outline: Outline, relations: Relations, all: Declarations): Surroundings {
  const { declared, columns, complete } = outline
  return {
    resource: declared.name,
    columns,
    relations,
    complete,
    principal: all.principal,
    macros: all.macros
  }
}

/** One resource with the columns, relations and rules of its traits. */
export function resolveResource(
  outline: Outline,
  around: Surroundings,
  all: Declarations,
  problems: PolicyError[]
): Resource {
  const { declared, owners, columns, table } = outline
  const { relations } = around
  const softDelete = resolveSoftDelete(owners, around, problems)
  const rules = mergedRules(owners, problems)
    .map(text => resolveRule(text, all.actions, around, problems))
    .filter(rule => rule !== null)
  return {
    name: declared.name,
    table,
    columns: [...columns.values()].filter(column => column !== null).sort(byName),
    relations: [...relations.values()].flatMap(one => (one === null ? [] : [one.relation])).sort(byName),
    rules: rules.sort((a, b) => (a.id < b.id ? -1 : 1)),
    immutable: resolveImmutable(owners, softDelete, around, problems),
    columnRules: resolveColumnRules(owners, around, problems),
    softDelete,
    deleteThrough: resolveDeleteThrough(owners, declared.name, problems),
    span: declared.source.keySpanOf(declared.path)
  }
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

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
