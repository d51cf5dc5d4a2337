import type { Scalar } from '../../ir/values.js'

/**
 * A piece of SQL that is known to be safe. The constructor is private to this file, so neither a bare string nor a
 * policy author's text can become SQL without passing `id` or `lit`.
 */
export class Fragment {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  /** For this file alone: everyone else builds fragments from fragments. */
  static trusted(text: string, proof: typeof PROOF): Fragment {
    if (proof !== PROOF) throw new TypeError('SQL fragments are built with sql, id, lit and join')
    return new Fragment(text)
  }

  toString(): string {
    return this.#text
  }
}

const PROOF = Symbol('built here')
const make = (text: string): Fragment => Fragment.trusted(text, PROOF)

/** SQL text whose holes take fragments only; the literal parts are the programmer's own. */
export function sql(strings: TemplateStringsArray, ...holes: readonly Fragment[]): Fragment {
  return make(strings.reduce((text, part, i) => `${text}${i > 0 ? holes[i - 1] : ''}${part}`, ''))
}

/** An identifier, always quoted (manual, 4.1.1). @throws TypeError for an empty one, a NUL or more than 63 bytes */
export function id(name: string): Fragment {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > 63) {
    throw new TypeError(`no PostgreSQL identifier: ${JSON.stringify(name)}`)
  }
  return make(`"${name.replaceAll('"', '""')}"`)
}

/** A schema-qualified name of ours. Plain parts stay unquoted for the reader: after a dot every word is a name. */
export function qualified(name: `${string}.${string}`): Fragment {
  return /^twinrule\.[a-z_][a-z0-9_]*$/.test(name) ? make(name) : join(name.split('.').map(id), '.')
}

/**
 * A constant. Text is escaped in the way that means the same under either setting of
 * standard_conforming_strings (manual, 4.1.2).
 */
export function lit(value: Scalar): Fragment {
  if (typeof value !== 'string') return make(String(value))
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return make(value.includes('\\') ? `E${quoted}` : quoted)
}

/** Fragments one after the other with fixed text between them. */
export function join(
  parts: readonly Fragment[],
  between: '.' | ', ' | ' AND ' | ' OR ' | '\n' | '\n\n'
): Fragment {
  return make(parts.map(String).join(between))
}

/** Fragments on lines of their own, the operator before each but the first, for text that people review. */
export function block(parts: readonly Fragment[], operator: 'AND' | 'OR', indent: number): Fragment {
  return make(
    parts.map((part, i) => (i === 0 ? `${part}` : `${operator} ${part}`)).join(`\n${' '.repeat(indent)}`)
  )
}

/** A line break and the indentation of the next line. */
export function newline(indent: number): Fragment {
  return make(`\n${' '.repeat(indent)}`)
}

/** A body between dollar quotes whose tag does not occur in it (manual, 4.1.2.4). */
export function dollar(body: Fragment): Fragment {
  const text = String(body)
  let tag = '$twinrule$'
  for (let n = 1; text.includes(tag); n++) tag = `$twinrule${n}$`
  return make(`${tag}\n${text}\n${tag}`)
}

/** One line of SQL comment; a line break in it cannot start a statement. */
export function comment(text: string): Fragment {
  return make(`-- ${text.replaceAll(/[\r\n]+/g, ' ')}`)
}
