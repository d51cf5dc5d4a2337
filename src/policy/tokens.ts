import type { PolicyCode } from '../errors/codes.js'

/** The smallest parts of a condition. `start` and `end` are offsets into its text. */
export interface Token {
  readonly kind: 'name' | 'string' | 'int' | 'symbol' | 'end'
  /** The characters as written; for a string its value without quotes and escapes. */
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Thrown by the lexer and the parser of conditions; the caller adds the file. */
export class ConditionFault extends Error {
  readonly start: number
  readonly end: number
  readonly code: PolicyCode
  readonly hint: string | undefined

  constructor(
    message: string,
    place: { start: number; end: number },
    hint?: string,
    code: PolicyCode = 'TWR_POLICY_SYNTAX'
  ) {
    super(message)
    this.start = place.start
    this.end = place.end
    this.hint = hint
    this.code = code
  }
}

const SYMBOLS = [
  '==',
  '!=',
  '<=',
  '>=',
  '&&',
  '||',
  '!',
  '<',
  '>',
  '(',
  ')',
  '[',
  ']',
  ',',
  '.',
  '?',
  ':',
  '+',
  '-',
  '*',
  '/',
  '%',
  '{',
  '}',
  '=',
  '&',
  '|'
]
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  '"': '"',
  "'": "'",
  '`': '`',
  '?': '?'
}

/** Splits a condition into tokens: names, strings in either quotes with CEL's escapes, whole numbers and symbols. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const char = text[at] ?? ''
    if (/\s/.test(char)) at += 1
    else {
      const token = tokenAt(text, at, char)
      tokens.push(token)
      at = token.end
    }
  }
  return [...tokens, { kind: 'end', text: 'the end of the condition', start: text.length, end: text.length }]
}

function tokenAt(text: string, start: number, char: string): Token {
  if (char === '"' || char === "'") return stringAt(text, start, char)
  const word = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(start, start + 256))?.[0]
  if (word !== undefined) return { kind: 'name', text: word, start, end: start + word.length }
  const digits = /^-?[0-9]+/.exec(text.slice(start, start + 64))?.[0]
  if (digits !== undefined) return numberAt(text, start, digits)
  const symbol = SYMBOLS.find(one => text.startsWith(one, start))
  if (symbol !== undefined) return { kind: 'symbol', text: symbol, start, end: start + symbol.length }
  const shown = String.fromCodePoint(text.codePointAt(start) ?? 0)
  throw new ConditionFault(`unexpected character ${JSON.stringify(shown)}`, {
    start,
    end: start + shown.length
  })
}

function numberAt(text: string, start: number, digits: string): Token {
  const end = start + digits.length
  if (/^[.eExXuU]?[0-9A-Za-z_]/.test(text.slice(end, end + 2))) {
    const hint = 'numbers are whole and decimal: 0, 7, -42'
    throw new ConditionFault('not a whole decimal number', { start, end: end + 1 }, hint)
  }
  return { kind: 'int', text: digits, start, end }
}

function stringAt(text: string, start: number, quote: string): Token {
  let value = ''
  let at = start + 1
  for (;;) {
    const char = text[at]
    if (char === undefined || char === '\n') {
      throw new ConditionFault('the string is not closed', { start, end: at }, `close it with ${quote}`)
    }
    if (char === quote) return { kind: 'string', text: value, start, end: at + 1 }
    if (char === '\\') {
      const [decoded, length] = escapeAt(text, at)
      value += decoded
      at += length
    } else {
      value += char
      at += 1
    }
  }
}

/** CEL's escapes (language definition, "String and Bytes Values"), octal and hex bytes left out. */
function escapeAt(text: string, at: number): readonly [string, number] {
  const simple = ESCAPES[text[at + 1] ?? '']
  if (simple !== undefined) return [simple, 2]
  const long = /^\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/.exec(text.slice(at, at + 10))
  const point = Number.parseInt(long?.[1] ?? long?.[2] ?? '', 16)
  const valid = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff)
  if (long !== null && valid) return [String.fromCodePoint(point), long[0].length]
  const hint = 'known escapes: \\\\ \\" \\\' \\n \\t \\r \\uXXXX \\UXXXXXXXX'
  throw new ConditionFault('unknown escape in a string', { start: at, end: at + 2 }, hint)
}
