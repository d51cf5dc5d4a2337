import type { CatalogItem, Fact } from '../db/catalog/item.js'
import type { Parser } from '../prove/read-back.js'
import { kindOf, listOf, ReadBackError } from '../prove/tree.js'
import { sameTree, type TypeOf } from './canonical.js'
import type { Objects, Wanted } from './wanted.js'

/** One property of an object, as it has to be and as it is. */
export interface Change {
  readonly property: string
  readonly expected: Fact
  readonly found: Fact
  /** The tree that the live text has in place of the compiled one; undefined where there is none to compare. */
  readonly tree?: unknown
}

/** What is different about one object. */
export type Difference =
  | { readonly what: 'missing'; readonly wanted: Wanted }
  | { readonly what: 'extra'; readonly live: CatalogItem }
  | {
      readonly what: 'changed'
      readonly wanted: Wanted
      readonly live: CatalogItem
      readonly changes: readonly Change[]
    }

/** How expressions are compared. */
export interface Reading {
  readonly parse: Parser
  /** The types of a table's columns and of the accessors. */
  readonly typesOf: (table: string) => TypeOf
}

/** Compares objects that have to be there with those that are. */
export function differencesOf(
  wanted: Objects<Wanted>,
  live: Objects<CatalogItem>,
  reading: Reading
): readonly Difference[] {
  const found: Difference[] = []
  for (const [key, one] of wanted) {
    const actual = live.get(key)
    if (actual === undefined) found.push({ what: 'missing', wanted: one })
    else {
      const changes = changesOf(one, actual, reading)
      if (changes.length > 0) found.push({ what: 'changed', wanted: one, live: actual, changes })
    }
  }
  for (const [key, one] of live) if (!wanted.has(key)) found.push({ what: 'extra', live: one })
  return found
}

function changesOf(wanted: Wanted, live: CatalogItem, reading: Reading): readonly Change[] {
  const plain = Object.entries(wanted.facts).flatMap(([property, expected]) => {
    const found = live.facts[property] ?? null
    return sameFact(expected, found) ? [] : [{ property, expected, found }]
  })
  const typeOf = reading.typesOf(String(live.facts['table'] ?? ''))
  const expressions = Object.entries(wanted.trees).flatMap(([property, expected]) => {
    const found = (live.facts[property] ?? null) as string | null
    const tree = found === null ? null : treeOfText(property, found, reading.parse)
    // safety: text that cannot be parsed is not what was compiled
    const same = tree !== undefined && sameTree(expected, tree, typeOf)
    return same ? [] : [{ property, expected: null, found, tree }]
  })
  return [...plain, ...expressions]
}

/** The tree of what the catalog prints; undefined when the parser, which may be of another version, refuses it. */
export function treeOfText(property: string, text: string, parse: Parser): unknown {
  try {
    if (property === 'definition') {
      const [statement] = parse(text)
      const [kind, { replace, ...fields }] = kindOf(statement)
      return { [kind]: fields }
    }
    const [statement] = parse(`SELECT ${text}`)
    const [target] = listOf(kindOf(statement)[1]['targetList'])
    return kindOf(target)[1]['val']
  } catch (error) {
    if (error instanceof ReadBackError) return undefined
    throw error
  }
}

function sameFact(a: Fact, b: Fact): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b
  const [left, right] = [[...a].sort(), [...b].sort()]
  return left.length === right.length && left.every((one, i) => one === right[i])
}
