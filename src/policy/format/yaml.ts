import {
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  type Scalar,
  type ScalarTag,
  type ToStringOptions,
  type YAMLMap,
  type YAMLSeq
} from 'yaml'
import type { Path } from '../source.js'
import { foldedCondition, spacedCondition } from './condition.js'

/** Lines are broken where they would be longer. */
const WIDTH = 110
/** More rounds than levels of nesting are never needed. */
const MAX_ROUNDS = 70

const PRINTED: ToStringOptions = { indent: 2, lineWidth: WIDTH, minContentWidth: 0 }

/**
 * YAML in its one form: two spaces a level, one blank line at most, `{ a, b }` and `[a, b]` as long as they fit on a
 * line, double quotes where there is none inside, conditions with one space between their parts. Comments stay.
 *
 * @param isCondition tells at which places conditions stand
 */
export function formatYaml(text: string, isCondition: (path: Path) => boolean): string {
  let out = text
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = roundOf(out, isCondition)
    if (next === out) break
    out = next
  }
  return out
}

function roundOf(text: string, isCondition: (path: Path) => boolean): string {
  const document = parseDocument(text, {
    version: '1.2',
    // a whole number beyond 2^53 is printed as it was
    intAsBigInt: true,
    customTags: tags => [...tags, conditionTag]
  })
  const isTooLong = longPlaces(text)
  walk(document.contents, [], (node, path) => {
    if (isScalar(node)) {
      if (isCondition(path)) layCondition(node, isTooLong)
      else layText(node)
      return false
    }
    if (isCollection(node)) pad(node)
    if (!isCollection(node) || node.flow !== true || !isTooLong(node)) return true
    node.flow = false
    // what stands inside may fit now
    return false
  })
  return document.toString(PRINTED)
}

/** Whether a node is on more than one line, or on one that is too long. */
function longPlaces(text: string): (node: Node) => boolean {
  return ({ range }) => {
    const [start = 0, end = 0] = range ?? []
    const from = text.lastIndexOf('\n', start - 1) + 1
    const to = text.indexOf('\n', end)
    const lines = text.slice(from, to === -1 ? text.length : to)
    return text.slice(start, end).trimEnd().includes('\n') || (lines.split('\n')[0] ?? '').length > WIDTH
  }
}

function layText(node: Scalar): void {
  if (node.type !== 'QUOTE_DOUBLE' && node.type !== 'QUOTE_SINGLE') return
  const text = String(node.value)
  node.type = text.includes('"') && !text.includes("'") ? 'QUOTE_SINGLE' : 'QUOTE_DOUBLE'
}

const BLOCKS: readonly (string | undefined)[] = ['BLOCK_FOLDED', 'BLOCK_LITERAL']

function layCondition(node: Scalar, isTooLong: (node: Node) => boolean): void {
  const spaced = typeof node.value === 'string' ? spacedCondition(node.value) : null
  if (spaced === null) return
  const isBlock = BLOCKS.includes(node.type)
  if (isBlock || isTooLong(node)) node.format = FOLDED
  else layText(node)
  node.value = spaced
}

const FOLDED = 'condition'

/** How a condition is printed that is too long for a line: behind `>-`, broken where its parts end. */
const conditionTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:str',
  identify: value => typeof value === 'string',
  default: true,
  format: FOLDED,
  resolve: text => text,
  stringify: ({ value, comment }, { indent }, onComment) => {
    const inner = indent === '' ? '  ' : indent
    const lines = foldedCondition(String(value), WIDTH - inner.length) ?? [String(value)]
    onComment?.()
    const head = comment ? `>- #${comment}` : '>-'
    return [head, ...lines.map(line => `${inner}${line}`)].join('\n')
  }
}

/** `{ a: b }` has spaces inside, `[a, b]` has none. */
function pad(node: YAMLMap | YAMLSeq): void {
  const print = node.toString.bind(node)
  const flowCollectionPadding = isSeq(node) ? '' : ' '
  node.toString = (context, ...more) => print(context && { ...context, flowCollectionPadding }, ...more)
}

/** Visits nodes with their places, from the outside in, until `visit` says that it goes no further. */
function walk(node: unknown, path: Path, visit: (node: Node, path: Path) => boolean): void {
  if (!isNode(node) || !visit(node, path)) return
  if (isSeq(node)) for (const [i, item] of node.items.entries()) walk(item, [...path, i], visit)
  if (!isMap(node)) return
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue
    layText(pair.key)
    walk(pair.value, [...path, String(pair.key.value)], visit)
  }
}
