import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  Parser,
  visit
} from 'yaml'
import type { PolicyCode } from '../errors/codes.js'
import { PolicyError, type Span } from '../errors/errors.js'
import { offsetsOf } from './scalar-offsets.js'

/** A policy file of more bytes is refused: people review these. */
export const MAX_FILE_BYTES = 512 * 1024
/** YAML nested deeper is refused; the format needs eight levels. */
const MAX_DEPTH = 64

const YAML_HINT =
  'conditions with quotes, brackets, # or : stand in quotes, or after >- on lines of their own'

/** Where something stands in a file: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** A parsed policy file: its plain value and the place of each part of it. */
export interface Source {
  readonly file: string
  readonly value: unknown
  /** The place of the value at a path, or of the nearest thing around it. */
  spanOf(path: Path): Span
  /** The place of the last key of a path. */
  keySpanOf(path: Path): Span
  /** The place of the characters `start` to `end` of the text at a path. */
  textSpan(path: Path, start: number, end: number): Span
}

/** Reads one YAML file, or says why not. Never throws for what the text holds. */
export function parseSource(file: string, text: string): { source: Source | null; problems: PolicyError[] } {
  const lines = new LineCounter()
  const at = (start: number, end: number): Span => spanBetween(file, lines, start, end)
  const refuse = (code: PolicyCode, message: string, span: Span, hint?: string) => ({
    source: null,
    problems: [new PolicyError(code, message, span, hint)]
  })
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const limit = `${MAX_FILE_BYTES / 1024} KiB`
    return refuse(
      'TWR_POLICY_TOO_LARGE',
      `the file is larger than ${limit}`,
      at(0, 0),
      'split it into several files'
    )
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const deep = tooDeep(tokens)
  if (deep !== null) {
    return refuse('TWR_POLICY_YAML_DEPTH', `nested deeper than ${MAX_DEPTH} levels`, at(deep, deep))
  }
  const documents = [...new Composer({ version: '1.2', uniqueKeys: true }).compose(tokens, true, text.length)]
  const [document, second] = documents
  if (document === undefined) return refuse('TWR_POLICY_YAML', 'the file is empty', at(0, 0))
  if (second !== undefined) {
    const [start] = second.range
    return refuse(
      'TWR_POLICY_YAML',
      'the file holds more than one YAML document',
      at(start, start),
      'use several files'
    )
  }
  const [repeated, broken] = yamlProblems(document, at)
  const refused = [...broken, ...refusedNodes(document, at)]
  if (refused.length > 0) return { source: null, problems: [...refused, ...repeated] }
  return { source: makeSource(file, text, document, at), problems: repeated }
}

/** Repeated keys leave a file readable, everything else that YAML finds does not. */
function yamlProblems(
  document: Document,
  at: (start: number, end: number) => Span
): [PolicyError[], PolicyError[]] {
  const repeated: PolicyError[] = []
  const broken: PolicyError[] = []
  // safety: a warning means that YAML understood something else than what stands there
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const span = at(pos[0], pos[1])
    if (code === 'DUPLICATE_KEY')
      repeated.push(new PolicyError('TWR_POLICY_DUPLICATE', 'the key stands here twice', span))
    else broken.push(new PolicyError('TWR_POLICY_YAML', firstLine(message), span, YAML_HINT))
  }
  // one slip makes YAML stumble several times on the same line
  const lines = new Set<number>()
  return [repeated, broken.filter(({ span }) => !lines.has(span.line) && lines.add(span.line))]
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '')
}

function spanBetween(file: string, lines: LineCounter, start: number, end: number): Span {
  const from = lines.linePos(start)
  const to = lines.linePos(Math.max(start, end))
  return {
    file,
    line: Math.max(1, from.line),
    column: Math.max(1, from.col),
    endLine: Math.max(1, to.line),
    endColumn: Math.max(1, to.col)
  }
}

/** The offset at which the tokens nest too deeply, or null. Without recursion: the input may be made to overflow. */
function tooDeep(tokens: readonly CST.Token[]): number | null {
  const open = tokens.map(token => ({ token, depth: 0 }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > MAX_DEPTH) return token.offset
    if (token.type === 'document' && token.value !== undefined) open.push({ token: token.value, depth })
    if ('items' in token && token.items !== undefined) {
      for (const item of token.items) {
        if ('key' in item && item.key) open.push({ token: item.key, depth: depth + 1 })
        if ('value' in item && item.value) open.push({ token: item.value, depth: depth + 1 })
      }
    }
  }
  return null
}

function refusedNodes(document: Document, at: (start: number, end: number) => Span): PolicyError[] {
  const problems: PolicyError[] = []
  visit(document, {
    Node(_, node) {
      const anchored = isAlias(node) || ('anchor' in node && node.anchor !== undefined)
      if (!anchored && node.tag?.startsWith('tag:yaml.org,2002:') !== false) return
      const [start, end] = node.range ?? [0, 0]
      const hint = 'repeat the text, or use a macro or a trait: those are checked'
      const message = 'anchors, aliases and tags are not part of a policy file'
      problems.push(new PolicyError('TWR_POLICY_YAML_ALIAS', message, at(start, end), hint))
    }
  })
  return problems
}

function makeSource(
  file: string,
  text: string,
  document: Document,
  at: (start: number, end: number) => Span
): Source {
  const nodeAt = (path: Path): Node | null => {
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return node
    }
    return null
  }
  const ranged = (node: Node | null): Span => {
    const [start, end] = node?.range ?? [0, 0]
    return at(start, end)
  }
  return {
    file,
    value: document.toJS({ maxAliasCount: 0 }),
    spanOf: path => ranged(nodeAt(path)),
    keySpanOf: path => {
      const parent = path.length === 0 ? null : document.getIn(path.slice(0, -1), true)
      const map = path.length === 1 ? document.contents : parent
      const key = isMap(map)
        ? map.items.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === path.at(-1))
            ?.key
        : undefined
      return isNode(key) ? ranged(key) : ranged(nodeAt(path))
    },
    textSpan: (path, start, end) => {
      const node = nodeAt(path)
      if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return ranged(node)
      const offsets = offsetsOf(text, node.range[0], node.range[1], node.value)
      return at(offsets(start), Math.max(offsets(start) + 1, offsets(Math.max(start, end - 1)) + 1))
    }
  }
}
