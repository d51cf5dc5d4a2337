import { createHash } from 'node:crypto'
import type { PolicyCode } from '../errors/codes.js'
import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import type { Path, Source } from '../policy/source.js'

/** A test file and the mistakes that were found in it. */
export interface Reading {
  readonly source: Source
  readonly problems: PolicyError[]
}

/** Reports a mistake at a place of a file. */
export function mistake(
  { source, problems }: Reading,
  code: PolicyCode,
  path: Path,
  message: string,
  hint?: string
): void {
  problems.push(new PolicyError(code, message, source.spanOf(path), hint))
}

/** What a name stands for. */
export type Named =
  | { readonly kind: 'tenant' | 'principal' }
  | { readonly kind: 'row'; readonly type: string }

/** The names of a file, each with the id that it stands for. One name space: a name stands for one thing. */
export class Names {
  readonly #reading: Reading
  readonly #ids = new Map<string, { readonly id: string; readonly named: Named }>()

  constructor(reading: Reading) {
    this.#reading = reading
  }

  declare(name: string, named: Named, id: string, path: Path): void {
    if (this.#ids.has(name)) {
      const { source, problems } = this.#reading
      const message = `\`${name}\` is declared twice`
      const hint = 'tenants, principals and rows have their names in common'
      problems.push(new PolicyError('TWR_TEST_NAME', message, source.keySpanOf(path), hint))
      return
    }
    this.#ids.set(name, { id, named })
  }

  /** The id of a name, whatever it stands for. */
  idOf(name: string): string | undefined {
    return this.#ids.get(name)?.id
  }

  all(kind?: Named['kind']): readonly string[] {
    return [...this.#ids].flatMap(([name, { named }]) =>
      kind === undefined || named.kind === kind ? name : []
    )
  }

  /** Says that a name is not declared, and which one may have been meant. */
  unknown(name: string, kind: Named['kind'], path: Path): void {
    const other = this.#ids.get(name)
    const hint =
      other === undefined
        ? suggest(name, this.all(kind), `${kind}s`)
        : `\`${name}\` is a ${other.named.kind}, a ${kind} is needed here`
    mistake(this.#reading, 'TWR_TEST_NAME', path, `there is no ${kind} \`${name}\``, hint)
  }
}

/** A uuid for a name: always the same one, and that of no other name. */
export function uuidFor(kind: string, name: string): string {
  const hex = createHash('sha256').update(`twinrule test ${kind} ${name}`).digest('hex')
  // version 8, which leaves the bits to whoever makes them (RFC 9562)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32)
  ].join('-')
}

/** A whole number for a name, within the smallest of the types that an id may have. */
export function intFor(kind: string, name: string): number {
  return Number.parseInt(uuidFor(kind, name).slice(0, 7), 16)
}
