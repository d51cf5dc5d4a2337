import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { ACTIONS, type AddedAction, type Invariant } from '../ir/model.js'
import { resolveCondition, type Surroundings } from './conditions.js'
import { mapping, texts } from './sections.js'
import type { Path, Source } from './source.js'

/** One written invariant: what it demands and where it stands. */
interface Written {
  readonly kind: 'never' | 'possible' | 'unchanged' | 'only_when'
  readonly value: Readonly<Record<string, unknown>>
  readonly source: Source
  readonly path: Path
}

const KINDS = ['never', 'possible', 'unchanged', 'only_when'] as const

/**
 * The invariants of all files, each for every resource that it is about: the named ones, or those that declare every
 * column it reads.
 */
export function resolveInvariants(
  sources: readonly Source[],
  resources: ReadonlyMap<string, Surroundings>,
  actions: readonly AddedAction[],
  problems: PolicyError[]
): readonly Invariant[] {
  return sources.flatMap(written).flatMap(one => {
    const named = texts(one.value['resources'])
    reportUnknown(one, named, resources, actions, problems)
    return named.length > 0
      ? named.flatMap(name => forResource(one, resources.get(name), problems))
      : forFitting(one, [...resources.values()], problems)
  })
}

function written(source: Source): readonly Written[] {
  const list = mapping(source.value)['invariants']
  if (!Array.isArray(list)) return []
  return list.flatMap((item, i) =>
    KINDS.filter(kind => Object.hasOwn(mapping(item), kind)).map(kind => ({
      kind,
      value: mapping(mapping(item)[kind]),
      source,
      path: ['invariants', i, kind]
    }))
  )
}

function reportUnknown(
  { value, source, path }: Written,
  named: readonly string[],
  resources: ReadonlyMap<string, Surroundings>,
  added: readonly AddedAction[],
  problems: PolicyError[]
): void {
  for (const [i, name] of named.entries()) {
    if (resources.has(name)) continue
    const hint = suggest(name, [...resources.keys()], 'resources')
    const span = source.spanOf([...path, 'resources', i])
    problems.push(new PolicyError('TWR_POLICY_INVARIANT', `unknown resource \`${name}\``, span, hint))
  }
  const action = value['action']
  const known = [...ACTIONS, ...added.map(({ name }) => name)]
  if (typeof action !== 'string' || known.includes(action)) return
  const span = source.spanOf([...path, 'action'])
  problems.push(
    new PolicyError(
      'TWR_POLICY_ACTION',
      `unknown action \`${action}\``,
      span,
      suggest(action, known, 'actions')
    )
  )
}

/** A resource that lacks a column is not meant; any other mistake is one, and so is fitting nowhere. */
function forFitting(
  one: Written,
  all: readonly Surroundings[],
  problems: PolicyError[]
): readonly Invariant[] {
  const tried = all.map(around => {
    const found: PolicyError[] = []
    return { made: forResource(one, around, found), found }
  })
  const fits = tried.filter(({ found }) => !found.some(({ code }) => NOT_THERE.has(code)))
  for (const { found } of fits) problems.push(...found)
  if (fits.length === 0) problems.push(...(tried[0]?.found ?? []))
  return fits.flatMap(({ made }) => made)
}

const NOT_THERE: ReadonlySet<string> = new Set(['TWR_POLICY_UNKNOWN_COLUMN', 'TWR_POLICY_UNKNOWN_RELATION'])

function forResource(
  { kind, value, source, path }: Written,
  around: Surroundings | undefined,
  problems: PolicyError[]
): readonly Invariant[] {
  if (around === undefined) return []
  const key = kind === 'unchanged' ? 'unless' : 'when'
  const input = value[key] ?? (kind === 'unchanged' ? false : undefined)
  const when = resolveCondition(input, source, [...path, key], around, problems)
  const base = { resource: around.resource, span: source.keySpanOf(path) }
  if (kind === 'never' || kind === 'possible') {
    const action = value['action']
    return when === null || typeof action !== 'string' ? [] : [{ ...base, kind, action, when }]
  }
  const list = kind === 'unchanged' ? 'columns' : 'changes'
  const columns = texts(value[list])
  const missing = columns.findIndex(column => !around.columns.has(column))
  if (missing >= 0) {
    // an unknown trait is reported where it is used, not once for each column that it would bring
    if (!around.complete) return []
    const name = columns[missing] ?? ''
    const hint = suggest(name, [...around.columns.keys()], 'declared')
    const span = source.spanOf([...path, list, missing])
    const message = `${around.resource} has no column \`${name}\``
    problems.push(new PolicyError('TWR_POLICY_UNKNOWN_COLUMN', message, span, hint))
    return []
  }
  return when === null || columns.length === 0 ? [] : [{ ...base, kind: 'only_when', columns, when }]
}
