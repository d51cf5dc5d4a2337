import type { Compared, Comparison } from '../analysis/comparisons.js'
import { type Domain, domainsOf, roomOfSet } from '../analysis/domain.js'
import { type Space, spaceOf } from '../analysis/models.js'
import type { Relation } from '../ir/formula.js'
import type { Resource } from '../ir/model.js'
import { comparisonsIn, demandsOf, type Quest } from './quest.js'
import { type RelatedSearch, relatedSearch } from './related-rows.js'

/**
 * The models of an update: its principals, and beside each of them the old rows and the new rows, each on its own. No
 * condition looks at both rows, so the two only meet in the columns that must or must not stay equal, and in the
 * related rows of an equal key.
 */
export interface Halves {
  readonly old: Half
  readonly next: Half
  /** What both halves choose their related rows from. */
  readonly related: RelatedSearch
  readonly all: Space
  /** The number of the domain of each column that has values in both halves. */
  readonly shared: ReadonlyMap<string, number>
  /** The relations whose rows both halves look at. */
  readonly links: readonly Relation[]
}

/** One of the rows. */
export interface Half {
  /** Its values, under the columns' own names. */
  readonly space: Space
  /** The same for counting: exactly the principals, this row and its related rows. */
  readonly counted: Space
  readonly relations: readonly Relation[]
}

// a name that no column has
const PREFIX = 'next '

/** The halves of an update: every column is there twice, so that the values suffice for two rows at once. */
export function halvesOf(quest: Quest): Halves {
  const { resource, changes } = quest
  const demands = { old: demandsOf(quest, 'old'), next: demandsOf(quest, 'new') }
  const compared = { old: comparisonsIn(demands.old), next: comparisonsIn(demands.next) }
  const both = [...compared.old, ...compared.next]
  const related = relatedSearch(resource, [...demands.old, ...demands.next], both)
  const ofOld = relatedSearch(resource, demands.old, both)
  const ofNext = relatedSearch(resource, demands.next, both)
  const old = [...compared.old, ...ofOld.keys]
  const next = [...compared.next, ...ofNext.keys]
  const [read, written] = [columnsIn(old), columnsIn(next)]
  const names = new Set([...[...read].filter(name => written.has(name)), ...(changes ?? [])])
  const pairs = resource.columns
    .filter(({ name }) => names.has(name))
    .map(({ name, type }): Comparison => {
      const term: Compared = { kind: 'column', name, type }
      return { terms: [term, renamed(term)], ordered: false }
    })
  const domains = domainsOf(
    doubled(resource),
    [...old, ...renamedIn(next), ...pairs],
    [...ofOld.joins, ...renamedIn(ofNext.joins)]
  ).map(allNamed)
  const all = spaceOf(domains, related.lists)
  const shared = all.row.filter(({ variable }) => names.has(variable.name))
  return {
    old: half(all, ofOld.relations, false),
    next: half(all, ofNext.relations, true),
    related,
    all,
    shared: new Map(shared.map(one => [one.variable.name, one.domain])),
    links: ofOld.relations.filter(one => ofNext.relations.includes(one))
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

function renamedIn(comparisons: readonly Comparison[]): readonly Comparison[] {
  return comparisons.map(({ terms, ordered }) => ({ terms: terms.map(renamed), ordered }))
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

/** The rows of one half, under the columns' own names. */
function half(all: Space, relations: readonly Relation[], isNext: boolean): Half {
  const related = all.related.filter(one => relations.some(({ name }) => name === one.relation))
  const row = all.row
    .filter(({ variable }) => isOf(isNext, variable.name))
    .map(slot => {
      const { variable, domain } = slot
      const bare = { ...variable, name: isNext ? variable.name.slice(PREFIX.length) : variable.name }
      const room = roomFor(all.domains[domain], slot, isNext)
      return { ...slot, variable: bare, room, choices: new Map() }
    })
  const domains = all.domains.map(domain => without(domain, !isNext))
  return { space: { ...all, row, related }, counted: spaceOf(domains, related), relations }
}

function without(domain: Domain, isNext: boolean): Domain {
  const variables = domain.variables.filter(({ side, name }) => side !== 'row' || !isOf(isNext, name))
  return { ...domain, variables }
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
