import type { Span } from '../../errors/errors.js'
import { type Case, evaluate, evaluateAtom, type Related, relatedRows, termValue } from '../../ir/evaluate.js'
import type { Atom, Condition, Relation, Term } from '../../ir/formula.js'
import { jsonValue } from '../../ir/json.js'
import { printAtom, printCondition, printTerm } from '../../ir/print.js'
import type { Column } from '../../ir/types.js'
import type { Value } from '../../ir/values.js'
import type { JsonRow, Said, Traced, TracedRelated, TracedRow, TracedTest } from './explanation.js'
import { whyUnknown } from './why.js'

/** What the asker may see of the row that conditions are asked about. */
export interface Shown {
  readonly column: (name: string) => boolean
  readonly relation: (name: string) => boolean
  /** Whether related rows that the principal may not read are shown. */
  readonly unreadable: boolean
}

/** Nothing is hidden. */
export const ALL_SHOWN: Shown = { column: () => true, relation: () => true, unreadable: true }

/** A condition with the truth of each part: the reference interpreter, written down. */
export function trace(condition: Condition, at: Case, shown: Shown): Traced {
  switch (condition.kind) {
    case 'const':
      return { kind: 'const', truth: condition.value ? 'true' : 'false', text: String(condition.value) }
    case 'and': {
      const of = condition.of.map(part => trace(part, at, shown))
      return { kind: 'all', truth: joined(of, 'false', 'true'), of }
    }
    case 'or': {
      const of = condition.of.map(part => trace(part, at, shown))
      return { kind: 'any', truth: joined(of, 'true', 'false'), of }
    }
    case 'not': {
      const inner = trace(condition.of, at, shown)
      return { kind: 'not', truth: NEGATED[inner.truth], of: [inner] }
    }
    case 'exists':
      return traceRelated(condition, at, shown)
    case 'atom':
      return traceAtom(condition.atom, condition.span, at, shown)
  }
}

const NEGATED: Readonly<Record<Said, Said>> = {
  true: 'false',
  false: 'true',
  unknown: 'unknown',
  hidden: 'hidden'
}

/** Kleene's and / or: what one part alone decides is decided, even where another one is hidden. */
function joined(parts: readonly { readonly truth: Said }[], decides: Said, otherwise: Said): Said {
  const truths = parts.map(({ truth }) => truth)
  if (truths.includes(decides)) return decides
  // safety: a hidden part could be the one that decides, so it hides whether the others do
  if (truths.includes('hidden')) return 'hidden'
  return truths.includes('unknown') ? 'unknown' : otherwise
}

function traceAtom(atom: Atom, span: Span | undefined, at: Case, shown: Shown): TracedTest {
  const terms = termsOf(atom)
  const visible = terms.filter(term => term.kind !== 'column' || shown.column(term.name))
  const hidden = visible.length < terms.length
  const truth = evaluateAtom(atom, at)
  const named = visible.filter(({ kind }) => kind !== 'literal' && kind !== 'list')
  return {
    kind: 'test',
    // safety: the truth of a test tells about the value that it read
    truth: hidden ? 'hidden' : truth === null ? 'unknown' : truth ? 'true' : 'false',
    text: printAtom(atom),
    values: Object.fromEntries(
      named.map(term => [printTerm(term), jsonValue(term.type, termValue(term, at))])
    ),
    why: hidden || truth !== null ? null : whyUnknown(atom, at),
    at: placeOf(span)
  }
}

/** The terms of an atom, each once. */
export function termsOf(atom: Atom): readonly Term[] {
  switch (atom.kind) {
    case 'eq':
    case 'order':
      return [atom.left, atom.right]
    case 'in':
      return [atom.item, atom.set]
    case 'null':
      return [atom.term]
  }
}

function traceRelated(
  condition: Condition & { readonly kind: 'exists' },
  at: Case,
  shown: Shown
): TracedRelated {
  const { relation, of, span } = condition
  const hidden = !shown.relation(relation.name)
  const rows = hidden
    ? []
    : relatedRows(relation, at.row)
        .map(related => traceRow(relation, related, of, { ...at, related }, shown))
        .filter(({ counts }) => counts || shown.unreadable)
  const counting = rows.filter(({ counts }) => counts).map(row => row.of)
  return {
    kind: 'related',
    truth: hidden ? 'hidden' : joined(counting, 'true', 'false'),
    text: printCondition(condition),
    relation: relation.name,
    rows,
    at: placeOf(span)
  }
}

function traceRow(relation: Relation, related: Related, of: Condition, at: Case, shown: Shown): TracedRow {
  const { readable } = relation
  const itself: Case = { ...at, row: related }
  const counts =
    readable === null ||
    (readable.allow.some(one => evaluate(one, itself) === true) &&
      readable.forbid.every(one => evaluate(one, itself) === false))
  return { row: jsonRow(relation.columns, related), counts, of: trace(of, at, shown) }
}

/** The columns of a row as JSON. */
export function jsonRow(columns: readonly Column[], row: Related | Case['row']): JsonRow {
  return Object.fromEntries(
    columns.map(({ name, type }) => [name, jsonValue(type, (row[name] ?? null) as Value)])
  )
}

/** `file:line:column`, the form that editors open. */
export function placeOf(span: Span | undefined): string | null {
  return span === undefined ? null : `${span.file}:${span.line}:${span.column}`
}
