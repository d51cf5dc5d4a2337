import type { Ordering } from '../ir/formula.js'
import type { Ast, Segment } from './ast.js'
import { ConditionFault, type Token, tokenize } from './tokens.js'

/** A condition with more nested groups is refused. */
const MAX_DEPTH = 64
const ORDERINGS: readonly Ordering[] = ['<', '<=', '>', '>=']
const FOREIGN = new Set(['?', ':', '+', '-', '*', '/', '%', '{', '}'])
const MEANT: Readonly<Record<string, string>> = {
  '=': 'equality is written ==',
  '&': 'and is written &&',
  '|': 'or is written ||',
  and: 'and is written &&',
  or: 'or is written ||',
  AND: 'and is written &&',
  OR: 'or is written ||',
  IN: 'write in'
}

/**
 * Parses the condition language: CEL's syntax for `||`, `&&`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, lists, strings, whole numbers,
 * booleans and null, with CEL's precedence, and `not in` as a second spelling of `!(a in b)`.
 *
 * @throws ConditionFault at the first place that does not fit
 */
export function parseCondition(text: string): Ast {
  const parser = new ConditionParser(tokenize(text))
  return parser.all()
}

class ConditionParser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  all(): Ast {
    const condition = this.#or()
    if (this.#peek().kind !== 'end') throw this.#unexpected()
    return condition
  }

  #or(): Ast {
    return this.#chain('or', '||', () => this.#chain('and', '&&', () => this.#relation()))
  }

  #chain(kind: 'and' | 'or', symbol: string, part: () => Ast): Ast {
    const first = part()
    const of = [first]
    while (this.#take(symbol)) of.push(part())
    return of.length === 1 ? first : { kind, of, start: first.start, end: of.at(-1)?.end ?? first.end }
  }

  #relation(): Ast {
    const left = this.#unary()
    const relation = this.#relationOf(left)
    if (relation === null) return left
    const next = this.#peek()
    if (this.#relationOf(relation) !== null) {
      throw new ConditionFault('comparisons do not chain', next, 'group them with ( ) or &&')
    }
    return relation
  }

  /** What follows a value and compares it, or null. */
  #relationOf(left: Ast): Ast | null {
    if (this.#atIn()) return this.#in(left)
    const token = this.#peek()
    if (token.kind !== 'symbol') return null
    const op = ORDERINGS.find(one => one === token.text)
    if (op === undefined && token.text !== '==' && token.text !== '!=') return null
    this.#next()
    const right = this.#unary()
    const place = { start: left.start, end: right.end }
    if (op !== undefined) return { kind: 'order', op, left, right, ...place }
    return { kind: 'equal', negated: token.text === '!=', left, right, ...place }
  }

  #in(item: Ast): Ast {
    const negated = this.#take('not')
    this.#next()
    const set = this.#unary()
    return { kind: 'in', negated, item, set, start: item.start, end: set.end }
  }

  #atIn(): boolean {
    const [one, two] = [this.#peek(), this.#tokens[this.#at + 1]]
    if (one.kind !== 'name') return false
    return one.text === 'in' || (one.text === 'not' && two?.kind === 'name' && two.text === 'in')
  }

  #unary(): Ast {
    const token = this.#peek()
    if (!this.#take('!')) return this.#primary()
    const of = this.#nested(token, () => this.#unary())
    return { kind: 'not', of, start: token.start, end: of.end }
  }

  #primary(): Ast {
    const token = this.#next()
    const place = { start: token.start, end: token.end }
    switch (token.kind) {
      case 'string':
        return { kind: 'string', value: token.text, ...place }
      case 'int':
        return { kind: 'int', digits: token.text, ...place }
      case 'name':
        return this.#named(token)
      case 'symbol':
        if (token.text === '(') return this.#group(token)
        if (token.text === '[') return this.#list(token)
        break
      case 'end':
        break
    }
    this.#at -= 1
    throw this.#unexpected()
  }

  #named(token: Token): Ast {
    const place = { start: token.start, end: token.end }
    if (token.text === 'true' || token.text === 'false') {
      return { kind: 'bool', value: token.text === 'true', ...place }
    }
    if (token.text === 'null') return { kind: 'null', ...place }
    const segments: Segment[] = [{ name: token.text, ...place }]
    while (this.#take('.')) {
      const next = this.#next()
      if (next.kind !== 'name') {
        this.#at -= 1
        throw this.#unexpected('a name after the dot')
      }
      segments.push({ name: next.text, start: next.start, end: next.end })
    }
    const last = segments.at(-1) ?? token
    if (this.#peek().text === '(' && this.#peek().kind === 'symbol') return this.#call(segments)
    return { kind: 'path', segments, start: token.start, end: last.end }
  }

  /** `relation.exists(row, condition)` and `relation.can("action")`: the only calls of the language. */
  #call(segments: readonly Segment[]): Ast {
    const called = segments.at(-1)
    const path = segments.slice(0, -1)
    if (called === undefined || (called.name !== 'exists' && called.name !== 'can') || path.length === 0) {
      const hint = 'conditions compare values; relations have exists() and can()'
      throw new ConditionFault(
        `the language has no function ${called?.name ?? ''}()`,
        called ?? this.#peek(),
        hint
      )
    }
    const open = this.#next()
    const start = path[0]?.start ?? open.start
    if (called.name === 'can') {
      const action = this.#primary()
      return { kind: 'can', path, action, start, end: this.#expect(')', 'a closing )').end }
    }
    const variable = this.#next()
    if (variable.kind !== 'name') {
      this.#at -= 1
      throw this.#unexpected('a name for the related row')
    }
    this.#expect(',', 'a comma and the condition of the related row')
    const of = this.#nested(open, () => this.#or())
    const end = this.#expect(')', 'a closing )').end
    return {
      kind: 'exists',
      path,
      variable: { name: variable.text, start: variable.start, end: variable.end },
      of,
      start,
      end
    }
  }

  #expect(symbol: string, wanted: string): Token {
    const token = this.#peek()
    if (token.kind !== 'symbol' || token.text !== symbol) throw this.#unexpected(wanted)
    this.#at += 1
    return token
  }

  #group(open: Token): Ast {
    const inner = this.#nested(open, () => this.#or())
    const close = this.#expect(')', 'a closing )')
    return { ...inner, start: open.start, end: close.end }
  }

  #list(open: Token): Ast {
    const items: Ast[] = []
    while (!(this.#peek().kind === 'symbol' && this.#peek().text === ']')) {
      items.push(this.#nested(open, () => this.#unary()))
      if (!this.#take(',')) break
    }
    const close = this.#expect(']', 'a comma or a closing ]')
    return { kind: 'list', items, start: open.start, end: close.end }
  }

  #nested(at: Token, inner: () => Ast): Ast {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) {
      const message = `nested deeper than ${MAX_DEPTH} levels`
      throw new ConditionFault(message, at, 'split it with macros', 'TWR_POLICY_CONDITION_SIZE')
    }
    const result = inner()
    this.#depth -= 1
    return result
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? (this.#tokens.at(-1) as Token)
  }

  #next(): Token {
    const token = this.#peek()
    this.#at += 1
    return token
  }

  /** Steps over a symbol or word if it is next. */
  #take(text: string): boolean {
    const token = this.#peek()
    if (token.text !== text || token.kind === 'string' || token.kind === 'end') return false
    this.#at += 1
    return true
  }

  #unexpected(wanted?: string): ConditionFault {
    const token = this.#peek()
    const shown = token.kind === 'end' ? token.text : `\`${token.text}\``
    const expected = wanted === undefined ? '' : `, expected ${wanted}`
    const foreign = token.kind === 'symbol' && FOREIGN.has(token.text)
    const hint =
      MEANT[token.text] ??
      (foreign ? 'arithmetic, ternaries and maps are not part of the language' : undefined)
    return new ConditionFault(`unexpected ${shown}${expected}`, token, hint)
  }
}
