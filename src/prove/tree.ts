import { TwinruleError } from '../errors/errors.js'

/** A node of PostgreSQL's parse tree as libpg-query gives it: fields that are zero, false or empty are left out. */
export type Tree = Readonly<Record<string, unknown>>

/** SQL that says something the proof does not know the meaning of, or that is no SQL at all. */
export class ReadBackError extends TwinruleError {
  constructor(message: string, cause?: unknown) {
    super('TWR_PROOF_SQL', message, {
      cause,
      hint: 'the proof reads a closed part of SQL and calls everything else unproved'
    })
  }
}

/** Ends the reading of SQL that is not in the grammar. */
export function refuse(what: string): never {
  throw new ReadBackError(`the generated SQL has ${what}, which the proof does not read`)
}

/** Positions in the text, which carry no meaning. */
const PLACES: ReadonlySet<string> = new Set([
  'location',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
  'stmt_location',
  'stmt_len'
])

/** The name and the fields of a node `{ Name: { fields } }`. */
export function kindOf(node: unknown): readonly [kind: string, fields: Tree] {
  const [entry, ...more] = Object.entries(treeOf(node, 'a node'))
  if (entry === undefined || more.length > 0) return refuse('a node without a kind')
  return [entry[0], treeOf(entry[1], entry[0])]
}

/**
 * The fields of a node, of which only those in `known` may be there.
 * safety: a field that the reader does not look at could change what the node means
 */
export function only(fields: Tree, kind: string, ...known: readonly string[]): Tree {
  for (const field of Object.keys(fields)) {
    if (!known.includes(field) && !PLACES.has(field)) refuse(`${kind} with ${field}`)
  }
  return fields
}

/** The fields of the only kind that may stand here. */
export function fieldsOf(node: unknown, kind: string, ...known: readonly string[]): Tree {
  const [actual, fields] = kindOf(node)
  return actual === kind ? only(fields, kind, ...known) : refuse(`${actual} in place of ${kind}`)
}

/** A field that must have one value. */
export function must(fields: Tree, field: string, value: unknown): void {
  if (fields[field] !== value) refuse(`${field} ${JSON.stringify(fields[field])}`)
}

/** A field that is a list; one that is left out is empty. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : refuse('a node in place of a list')
}

/** A field that is text; one that is left out is empty. */
export function textOf(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : refuse('a node in place of a text')
}

/** The parts of a dotted name. */
export function nameOf(nodes: unknown): readonly string[] {
  return listOf(nodes).map(node => textOf(fieldsOf(node, 'String', 'sval')['sval']))
}

/** The fields of a node whose kind is clear from where it stands. */
export function treeOf(value: unknown, what: string): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Tree)
    : refuse(`no fields in ${what}`)
}
