import { type Related, relatedRows, type Values } from '../ir/evaluate.js'
import type { Atom, Relation, Term } from '../ir/formula.js'
import { type Nnf, readableForm } from '../ir/normal-form.js'
import type { Scalar } from '../ir/values.js'
import { compilePredicate, type Predicate } from './compiled.js'

/**
 * The fastest predicate of a form that this process may have: JavaScript made from the form, or closures where making
 * code is forbidden (`node --disallow-code-generation-from-strings`, some hosts). Both decide alike.
 *
 * Rules that read alike share their code, so a policy of a thousand resource types with the same rules has that of one.
 */
export function fastPredicate(form: Nnf): Predicate {
  return mayMakeCode ? generated(form) : compilePredicate(form)
}

const mayMakeCode = canMakeCode()

function canMakeCode(): boolean {
  try {
    return new Function('return true')() === true
  } catch {
    return false
  }
}

/** How many texts are remembered. Beyond them code is made anew: the policies of one process have far fewer. */
const REMEMBERED = 10_000
const remembered = new Map<string, Predicate>()

/** The predicate of a form as code, whether or not closures would do. @throws EvalError where that is forbidden */
export function generated(form: Nnf): Predicate {
  const code: Code = { constants: [], temporaries: 0 }
  const text = `return ${condition(form, code)}`
  // constants are no part of the text, so only texts without any are the same function
  const key = code.constants.length === 0 ? text : null
  const known = key === null ? undefined : remembered.get(key)
  if (known !== undefined) return known
  const names = Array.from({ length: code.temporaries }, (_, i) => `t${i}`)
  const declared = names.length === 0 ? '' : `let ${names.join(', ')}\n`
  // safety: the text holds nothing of a policy but names and literals, each written by JSON.stringify
  const make = new Function('c', `"use strict"\nreturn (p, r, n, x) => {\n${declared}${text}\n}`)
  const made = make(code.constants) as Predicate
  if (key !== null && remembered.size < REMEMBERED) remembered.set(key, made)
  return made
}

/** What the text of a function needs beside itself. */
interface Code {
  readonly constants: unknown[]
  temporaries: number
}

/** A JavaScript expression that is true exactly when the form is definitely true, and false otherwise. */
function condition(form: Nnf, code: Code): string {
  switch (form.kind) {
    case 'const':
      return String(form.value)
    case 'literal':
      return literal(form.atom, form.negated, code)
    case 'and':
    case 'or':
      // the order of pure tests has no meaning, so the cheap ones come first
      return `(${[...form.of]
        .sort((a, b) => cost(a) - cost(b))
        .map(part => condition(part, code))
        .join(form.kind === 'and' ? ' && ' : ' || ')})`
    case 'exists':
    case 'every':
      return `${constant(related(form.relation, form.of, form.kind === 'exists'), code)}(p, r, n)`
  }
}

const COSTS = { null: 1, eq: 2, order: 3, in: 10 } as const satisfies Record<Atom['kind'], number>

/** About how long a form takes to test, where looking through a set costs more than any comparison, and rows more yet. */
function cost(form: Nnf): number {
  switch (form.kind) {
    case 'const':
      return 0
    case 'literal':
      return COSTS[form.atom.kind]
    case 'and':
    case 'or':
      return form.of.reduce((sum, part) => sum + cost(part), 0)
    case 'exists':
    case 'every':
      return 1_000
  }
}

function literal(atom: Atom, negated: boolean, code: Code): string {
  switch (atom.kind) {
    case 'eq': {
      const [a, b] = [value(atom.left, code), value(atom.right, code)]
      // safety: null equals nothing and differs from nothing; a literal is never null
      if (negated) return all(there(a), there(b), `${a.again} !== ${b.again}`)
      return b.known ? `${a.only} === ${b.only}` : all(there(a), `${a.again} === ${b.only}`)
    }
    case 'order': {
      const [a, b] = [value(atom.left, code), value(atom.right, code)]
      const is = `${a.again} ${atom.op} ${b.again}`
      // safety: JavaScript takes null for 0 in an ordering
      return all(there(a), there(b), negated ? `!(${is})` : is)
    }
    case 'in': {
      const [item, set] = [value(atom.item, code), value(atom.set, code)]
      const found = `${set.again}.includes(${item.again})`
      // safety: not being in a set that holds null is unknown
      const is = negated ? `!${found} && !${set.again}.includes(null)` : found
      return all(there(item), there(set), is)
    }
    case 'null': {
      const tested = value(atom.term, code)
      return negated ? `${tested.only} != null` : `${tested.only} == null`
    }
  }
}

/** How a term is read: where it stands alone, the first of several times, and from then on. */
interface Read {
  readonly only: string
  readonly once: string
  readonly again: string
  /** It is never null. */
  readonly known: boolean
}

function there({ once, known }: Read): string {
  return known ? '' : `${once} != null`
}

function all(...parts: readonly string[]): string {
  return `(${parts.filter(part => part !== '').join(' && ')})`
}

function value(term: Term, code: Code): Read {
  switch (term.kind) {
    case 'column':
      return kept(`r[${JSON.stringify(term.name)}]`, code)
    case 'related':
      return kept(`x?.[${JSON.stringify(term.name)}]`, code)
    case 'principal':
      return kept(`p[${JSON.stringify(term.name)}]`, code)
    case 'now':
      return { only: 'n', once: 'n', again: 'n', known: false }
    case 'literal':
      return fixed(scalar(term.value))
    case 'list':
      return fixed(constant(term.values, code))
  }
}

function kept(read: string, code: Code): Read {
  const name = `t${code.temporaries++}`
  return { only: read, once: `(${name} = ${read})`, again: name, known: false }
}

const fixed = (text: string): Read => ({ only: text, once: text, again: text, known: true })

function scalar(value: Scalar): string {
  if (typeof value === 'bigint') return `${value}n`
  // JSON has no infinity, which is what dates without end are
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

function constant(value: unknown, { constants }: Code): string {
  constants.push(value)
  return `c[${constants.length - 1}]`
}

/** Related rows that the principal may not read do not count, as they would not in SQL. */
function related(relation: Relation, of: Nnf, wanted: boolean): Predicate {
  const test = generated(of)
  const counts = generated(readableForm(relation))
  return (principal: Values, row: Values, now) => {
    for (const other of relatedRows(relation, row)) {
      if (counts(principal, other, now) && test(principal, row, now, other as Related) === wanted)
        return wanted
    }
    return !wanted
  }
}
