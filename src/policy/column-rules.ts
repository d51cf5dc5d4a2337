import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import type { ColumnRule } from '../ir/model.js'
import { keyOf, normalize } from '../ir/normal-form.js'
import { resolveCondition, type Surroundings } from './conditions.js'
import { type Declared, mapping, texts } from './sections.js'
import type { Path, Source } from './source.js'
import { resolveThrough } from './write-functions.js'

/** The columns that no update changes, of a resource and its traits, sorted. */
export function resolveImmutable(
  owners: readonly Declared[],
  softDelete: string | null,
  around: Surroundings,
  problems: PolicyError[]
): readonly string[] {
  const names = owners.flatMap(({ value, source, path }) =>
    knownColumns(mapping(value)['immutable'], source, [...path, 'immutable'], around, problems)
  )
  return [...new Set(softDelete === null ? names : [...names, softDelete])].sort()
}

/** The column rules of a resource and its traits, in a fixed order. One with a mistake is reported and left out. */
export function resolveColumnRules(
  owners: readonly Declared[],
  around: Surroundings,
  problems: PolicyError[]
): readonly ColumnRule[] {
  const rules = owners.flatMap(({ value, source, path }) => {
    const written = mapping(value)['column_rules']
    if (!Array.isArray(written)) return []
    return written.flatMap((one, i) => {
      const at = [...path, 'column_rules', i]
      const columns = knownColumns(mapping(one)['columns'], source, [...at, 'columns'], around, problems)
      const when = resolveCondition(mapping(one)['when'], source, [...at, 'when'], around, problems)
      const through = resolveThrough({ name: '', value: one, source, path: at }, columns, around, problems)
      return when === null || columns.length === 0
        ? []
        : [{ columns: [...new Set(columns)].sort(), when, through, span: source.spanOf(at) }]
    })
  })
  const key = (rule: ColumnRule): string =>
    `${rule.columns.join(' ')} ${keyOf(normalize(rule.when))} ${rule.through ?? ''}`
  return rules.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function knownColumns(
  written: unknown,
  source: Source,
  path: Path,
  around: Surroundings,
  problems: PolicyError[]
): readonly string[] {
  return texts(written).filter((name, i) => {
    if (around.columns.has(name)) return true
    if (!around.complete) return false
    const span = source.spanOf([...path, i])
    const hint = suggest(name, [...around.columns.keys()], 'declared')
    const message = `${around.resource} has no column \`${name}\``
    problems.push(new PolicyError('TWR_POLICY_UNKNOWN_COLUMN', message, span, hint))
    return false
  })
}
