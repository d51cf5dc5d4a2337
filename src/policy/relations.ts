import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import type { Condition, Relation } from '../ir/formula.js'
import type { Column, Resource, Rule } from '../ir/model.js'
import { sameType } from '../ir/types.js'
import { declaredColumns, type Enums } from './declarations.js'
import { type Declared, mapping } from './sections.js'
import type { Path, Source } from './source.js'

/** What is known of a resource before its rules are: enough for others to relate to it. */
export interface Outline {
  readonly declared: Declared
  readonly table: string | null
  readonly owners: readonly Declared[]
  readonly columns: ReadonlyMap<string, Column | null>
  /** False when a trait is unknown, so that what it would bring is not reported one by one. */
  readonly complete: boolean
}

/** A relation as declared; `target` is the resource whose rows it leads to, null for a plain table. */
export interface DeclaredRelation {
  readonly relation: Relation
  readonly target: string | null
  readonly source: Source
  readonly path: Path
}

/** The relations of a resource by name; null for one that was reported. */
export type Relations = ReadonlyMap<string, DeclaredRelation | null>

const KEY_TYPES: ReadonlySet<string> = new Set(['uuid', 'text', 'int'])

/** The relations that a resource and its traits declare. */
export function resolveRelations(
  outline: Outline,
  outlines: ReadonlyMap<string, Outline>,
  enums: Enums,
  problems: PolicyError[]
): Relations {
  const relations = new Map<string, DeclaredRelation | null>()
  for (const { value, source, path } of outline.owners) {
    for (const [name, written] of Object.entries(mapping(mapping(value)['relations']))) {
      const at = [...path, 'relations', name]
      if (relations.has(name) || outline.columns.has(name)) {
        const message = `\`${name}\` is declared twice`
        const hint = 'relations and columns share one name space'
        problems.push(new PolicyError('TWR_POLICY_DUPLICATE', message, source.keySpanOf(at), hint))
      } else {
        const before = problems.length
        const made = relationOf(name, mapping(written), outline, outlines, enums, source, at, problems)
        relations.set(name, problems.length > before ? null : made)
      }
    }
  }
  return relations
}

function relationOf(
  name: string,
  written: Readonly<Record<string, unknown>>,
  outline: Outline,
  outlines: ReadonlyMap<string, Outline>,
  enums: Enums,
  source: Source,
  path: Path,
  problems: PolicyError[]
): DeclaredRelation | null {
  const cardinality = written['one'] !== undefined ? 'one' : 'many'
  const other = written[cardinality]
  const local = textOr(written['local'], cardinality === 'one' ? `${name}_id` : 'id')
  const remote = textOr(written['remote'], cardinality === 'one' ? 'id' : `${outline.declared.name}_id`)
  const report = (message: string, hint: string, key: string = cardinality) => {
    const span = written[key] === undefined ? source.keySpanOf(path) : source.spanOf([...path, key])
    problems.push(new PolicyError('TWR_POLICY_RELATION', message, span, hint))
    return null
  }
  if ((written['one'] === undefined) === (written['many'] === undefined)) {
    return report(
      'a relation leads to one row or to many',
      'write { one: <resource> } or { many: <resource or table> }'
    )
  }
  if (typeof other !== 'string') return null
  if (outlines.has(other) && written['columns'] !== undefined) {
    return report(
      `the columns of ${other} are declared there`,
      'remove `columns`: they are for plain tables',
      'columns'
    )
  }
  const target = outlines.get(other)
  if (target === undefined && written['columns'] === undefined) {
    const hint = suggest(other, [...outlines.keys()], 'resources')
    return report(`\`${other}\` is no resource`, `${hint}; a plain table needs \`columns\``)
  }
  const key = outline.columns.get(local)
  if (key === undefined) {
    if (!outline.complete) return null
    const known = suggest(local, [...outline.columns.keys()], 'declared')
    return report(`${outline.declared.name} has no column \`${local}\``, known, 'local')
  }
  if (key === null) return null
  if (!KEY_TYPES.has(key.type.kind))
    return report('rows are related by uuid, text or int', 'choose another column', 'local')
  const table = target !== undefined ? target.table : outline.table === null ? null : other
  if (table === outline.table && table !== null) {
    return report('a relation leads to the same table', 'PostgreSQL cannot read a table in its own policy')
  }
  if ((table === null) !== (outline.table === null)) {
    return report('only one of the two sides has a table', 'give both a table, or neither')
  }
  const declared =
    target?.columns ??
    declaredColumns(mapping(written['columns']), enums, source, [...path, 'columns'], problems)
  const columns = [...declared.values()].filter(column => column !== null)
  const far = columns.find(column => column.name === remote)
  if (far !== undefined && !sameType(far.type, key.type)) {
    return report(
      'the two sides of the relation have different types',
      `${local} and ${remote} must be of one type`,
      'remote'
    )
  }
  if (far === undefined && target !== undefined && target.complete) {
    return report(
      `${other} has no column \`${remote}\``,
      suggest(remote, [...declared.keys()], 'declared'),
      'remote'
    )
  }
  const all = far === undefined ? [...columns, { name: remote, type: key.type, nullable: true }] : columns
  return {
    relation: {
      name,
      cardinality,
      table,
      local,
      remote,
      columns: all.sort(byName),
      readable: null,
      span: source.keySpanOf(path)
    },
    target: target === undefined ? null : other,
    source,
    path
  }
}

/**
 * Gives each relation that leads to a resource the read rules of that one. One step is as far as a relation leads: read
 * rules that use relations themselves would make PostgreSQL read table after table for each row.
 */
export function linkReadable(
  relations: Relations,
  resources: ReadonlyMap<string, Resource>,
  problems: PolicyError[]
): void {
  for (const one of relations.values()) {
    const target = one?.target == null ? undefined : resources.get(one.target)
    if (one === null || target === undefined) continue
    const reading = target.rules.filter(rule => rule.actions.includes('read'))
    const of = (effect: Rule['effect']) =>
      reading.filter(rule => rule.effect === effect).map(({ when }) => when)
    const readable = { allow: of('allow'), forbid: of('forbid') }
    if ([...readable.allow, ...readable.forbid].some(usesRelations)) {
      const message = `the read rules of ${target.name} use relations themselves`
      const hint = 'relate to the table that they lead to'
      problems.push(new PolicyError('TWR_POLICY_RELATION', message, one.source.keySpanOf(one.path), hint))
      continue
    }
    // conditions refer to this very object, so it is completed instead of copied; it is frozen with the bundle
    Object.assign(one.relation, { readable })
  }
}

function usesRelations(condition: Condition): boolean {
  switch (condition.kind) {
    case 'exists':
      return true
    case 'and':
    case 'or':
      return condition.of.some(usesRelations)
    case 'not':
      return usesRelations(condition.of)
    case 'const':
    case 'atom':
      return false
  }
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
