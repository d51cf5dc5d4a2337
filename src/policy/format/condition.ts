import { ConditionFault, type Token, tokenize } from '../tokens.js'

/** A condition with one space between its parts; null where it is none. */
export function spacedCondition(text: string): string | null {
  const parts = partsOf(text)
  return parts === null ? null : join(parts)
}

/**
 * A condition on lines of at most some width, which `>-` puts together again. It breaks before `&&` and `||`, at inner
 * ones only where an outer part is too long.
 */
export function foldedCondition(text: string, width: number): readonly string[] | null {
  const parts = partsOf(text)
  if (parts === null) return null
  const lines: { text: string; within: number | null }[] = []
  for (const { text: piece, within } of piecesOf(parts, width)) {
    const last = lines.at(-1)
    const fits = last !== undefined && last.text.length + 1 + piece.length <= width
    // what was too long for a line of its own shares none with what stands around it
    if (fits && last.within === within) last.text += ` ${piece}`
    else lines.push({ text: piece, within })
  }
  return lines.map(line => line.text)
}

interface Piece {
  readonly text: string
  /** Which of the outer parts it is a piece of; null for a whole one. */
  readonly within: number | null
}

interface Part {
  /** As it is written. */
  readonly text: string
  readonly token: Token
  readonly spaced: boolean
  readonly depth: number
}

function partsOf(text: string): readonly Part[] | null {
  const tokens = tokensOf(text)
  if (tokens === null) return null
  let depth = 0
  return tokens.map((token, i) => {
    const { kind, text: symbol } = token
    if (kind === 'symbol' && CLOSING.includes(symbol)) depth -= 1
    const part = {
      text: text.slice(token.start, token.end),
      token,
      depth,
      spaced: isSpaced(tokens[i - 1], token)
    }
    if (kind === 'symbol' && OPENING.includes(symbol)) depth += 1
    return part
  })
}

function tokensOf(text: string): readonly Token[] | null {
  try {
    return tokenize(text).filter(({ kind }) => kind !== 'end')
  } catch (error) {
    if (error instanceof ConditionFault) return null
    throw error
  }
}

const OPENING = ['(', '[', '{']
const CLOSING = [')', ']', '}']
/** Names that are operators: what stands in brackets behind them is no argument. */
const WORDS = ['in', 'not']

/** Whether a space stands between two tokens. */
function isSpaced(before: Token | undefined, { kind, text }: Token): boolean {
  if (before === undefined) return false
  const after = before.kind === 'symbol' ? before.text : null
  if (after !== null && [...OPENING, '.', '!'].includes(after)) return false
  if (kind !== 'symbol') return true
  if ([...CLOSING, ',', '.'].includes(text)) return false
  const isCall = text === '(' && before.kind === 'name' && !WORDS.includes(before.text)
  return !isCall
}

function join(parts: readonly Part[]): string {
  return parts.map(({ text, spaced }, i) => (spaced && i > 0 ? ` ${text}` : text)).join('')
}

/** The pieces between which a line may end: the outer parts, and of one that is too long those inside of it. */
function piecesOf(parts: readonly Part[], width: number): readonly Piece[] {
  return chunksAt(parts, 0).flatMap((chunk, i) => {
    const inner = innerPieces(chunk, 1, width)
    return inner.map(text => ({ text, within: inner.length === 1 ? null : i }))
  })
}

function innerPieces(chunk: readonly Part[], depth: number, width: number): readonly string[] {
  const text = join(chunk)
  if (text.length <= width || chunk.every(part => part.depth < depth)) return [text]
  return chunksAt(chunk, depth).flatMap(part => innerPieces(part, depth + 1, width))
}

/** The parts of a condition that `&&` and `||` at a depth join, each with the operator before it. */
function chunksAt(parts: readonly Part[], depth: number): readonly (readonly Part[])[] {
  const chunks: Part[][] = [[]]
  for (const part of parts) {
    const { kind, text } = part.token
    if (kind === 'symbol' && (text === '&&' || text === '||') && part.depth === depth) chunks.push([])
    chunks.at(-1)?.push(part)
  }
  return chunks
}
