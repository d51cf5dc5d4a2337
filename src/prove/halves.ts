import { type Compared, type Comparison, comparisonsOf } from '../analysis/comparisons.js'
import { type Domain, domainsOf, roomOfSet } from '../analysis/domain.js'
import { type Space, spaceOf } from '../analysis/models.js'
import type { Resource } from '../ir/model.js'
import { conditionsOf, type Quest } from './quest.js'

/**
 * The models of an update: its principals, and beside each of them the old rows and the new rows, each on its own. No
 * condition looks at both rows, so the two only meet in the columns that must or must not stay equal.
 */
export interface Halves {
  readonly old: Space
  readonly next: Space
  /** The number of the domain of each column that has values in both halves. */
  readonly shared: ReadonlyMap<string, number>
  /** At least how many models there are; the exact number shows when they are made. */
  readonly atLeast: number
}

// a name that no column has
const PREFIX = 'next '

/** The halves of an update: every column is there twice, so that the values suffice for two rows at once. */
export function halvesOf(quest: Quest): Halves {
  const { resource, when, changes } = quest
  const rules = resource.columnRules.map(rule => rule.when)
  const old = [...conditionsOf(quest, 'old'), ...rules, when].flatMap(comparisonsOf)
  const next = [...conditionsOf(quest, 'new'), ...(changes === null ? [when] : [])].flatMap(comparisonsOf)
  const [read, written] = [columnsIn(old), columnsIn(next)]
  const names = new Set([...[...read].filter(name => written.has(name)), ...(changes ?? [])])
  const both = resource.columns
    .filter(({ name }) => names.has(name))
    .map(({ name, type }): Comparison => {
      const term: Compared = { kind: 'column', name, type }
      return { terms: [term, renamed(term)], ordered: false }
    })
  const renamedNext = next.map(({ terms, ordered }) => ({ terms: terms.map(renamed), ordered }))
  const domains = domainsOf(doubled(resource), [...old, ...renamedNext, ...both]).map(allNamed)
  const all = spaceOf(domains)
  const shared = new Map(
    all.row.filter(({ variable }) => names.has(variable.name)).map(one => [one.variable.name, one.domain])
  )
  const size = (isNext: boolean) => Number(spaceOf(domains.map(domain => without(domain, !isNext))).size)
  return {
    old: half(all, false),
    next: half(all, true),
    shared,
    atLeast: size(false) + size(true)
  }
}

function isOf(isNext: boolean, name: string): boolean {
  return name.startsWith(PREFIX) === isNext
}

function columnsIn(comparisons: readonly Comparison[]): ReadonlySet<string> {
  return new Set(
    comparisons.flatMap(({ terms }) => terms.flatMap(term => (term.kind === 'column' ? [term.name] : [])))
  )
}

function renamed(term: Compared): Compared {
  return term.kind === 'column' ? { ...term, name: PREFIX + term.name } : term
}

function doubled(resource: Resource): Resource {
  const again = resource.columns.map(column => ({ ...column, name: PREFIX + column.name }))
  return { ...resource, columns: [...resource.columns, ...again] }
}

/** The few values of an enum or bool get a meaning each: there may be none left to rename one to. */
function allNamed(domain: Domain): Domain {
  const type = domain.variables[0]?.type
  const kind = type?.kind === 'set' ? type.of.kind : type?.kind
  return kind === 'enum' || kind === 'bool' ? { ...domain, named: domain.values.length } : domain
}

function without(domain: Domain, isNext: boolean): Domain {
  const variables = domain.variables.filter(({ side, name }) => side !== 'row' || !isOf(isNext, name))
  return { ...domain, variables }
}

/** The rows of one half, under the columns' own names. */
function half(all: Space, isNext: boolean): Space {
  const row = all.row
    .filter(({ variable }) => isOf(isNext, variable.name))
    .map(slot => {
      const { variable, domain } = slot
      const bare = { ...variable, name: isNext ? variable.name.slice(PREFIX.length) : variable.name }
      const room = roomFor(all.domains[domain], slot, isNext)
      return { ...slot, variable: bare, room, choices: new Map() }
    })
  return { ...all, row }
}

/** A set may also have to hold the scalars of the other row, which this half does not choose. */
function roomFor(
  domain: Domain | undefined,
  { variable, room }: Space['row'][number],
  isNext: boolean
): number {
  if (domain === undefined || variable.type.kind !== 'set') return room
  const others = domain.variables.filter(
    ({ side, name, type }) => side === 'row' && type.kind !== 'set' && isOf(!isNext, name)
  )
  return roomOfSet(domain, variable) + others.length
}
