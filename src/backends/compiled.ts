import { type Related, relatedRows, type Values } from '../ir/evaluate.js'
import type { Atom, Ordering, Term } from '../ir/formula.js'
import { type Nnf, readableForm } from '../ir/normal-form.js'
import type { Scalar, Value } from '../ir/values.js'

/** A point in time, microseconds since 1970; null is unknown. */
export type Now = number | bigint | null

/** Whether a form is definitely true for a principal and a row, both of canonical values, at a time. */
export type Predicate = (principal: Values, row: Values, now: Now, related?: Related) => boolean

type Read = (principal: Values, row: Values, now: Now, related?: Related) => Value

/** Compiles a normal form to closures: no interpretation, no allocation and no state on the decision path. */
export function compilePredicate(form: Nnf): Predicate {
  switch (form.kind) {
    case 'const':
      return form.value ? () => true : () => false
    case 'literal':
      return compileLiteral(form.atom, form.negated)
    case 'exists':
    case 'every':
      return compileRelation(form)
    case 'and': {
      const parts = form.of.map(compilePredicate)
      return (principal, row, now, related) => {
        for (const part of parts) if (!part(principal, row, now, related)) return false
        return true
      }
    }
    case 'or': {
      const parts = form.of.map(compilePredicate)
      return (principal, row, now, related) => {
        for (const part of parts) if (part(principal, row, now, related)) return true
        return false
      }
    }
  }
}

/** Related rows that the principal may not read do not count, as they would not in SQL. */
function compileRelation(form: Nnf & { kind: 'exists' | 'every' }): Predicate {
  const { relation } = form
  const test = compilePredicate(form.of)
  const counts = compilePredicate(readableForm(relation))
  const wanted = form.kind === 'exists'
  return (principal, row, now) => {
    for (const related of relatedRows(relation, row)) {
      if (counts(principal, related, now) && test(principal, row, now, related) === wanted) return wanted
    }
    return !wanted
  }
}

function compileLiteral(atom: Atom, negated: boolean): Predicate {
  switch (atom.kind) {
    case 'eq': {
      const left = reader(atom.left)
      const right = reader(atom.right)
      // safety: null equals nothing and differs from nothing
      return (principal, row, now, related) => {
        const a = left(principal, row, now, related)
        const b = right(principal, row, now, related)
        return a !== null && b !== null && (a === b) !== negated
      }
    }
    case 'order':
      return compileOrder(reader(atom.left), reader(atom.right), atom.op, negated)
    case 'in':
      return compileMembership(reader(atom.item), reader(atom.set), negated)
    case 'null': {
      const tested = reader(atom.term)
      return (principal, row, now, related) => (tested(principal, row, now, related) === null) !== negated
    }
  }
}

const COMPARE: Readonly<Record<Ordering, (a: number | bigint, b: number | bigint) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b
}

function compileOrder(left: Read, right: Read, op: Ordering, negated: boolean): Predicate {
  const compare = COMPARE[op]
  return (principal, row, now, related) => {
    const a = left(principal, row, now, related)
    const b = right(principal, row, now, related)
    // safety: JavaScript takes null for 0 in an ordering
    return a !== null && b !== null && compare(a as number | bigint, b as number | bigint) !== negated
  }
}

function compileMembership(item: Read, set: Read, negated: boolean): Predicate {
  return (principal, row, now, related) => {
    const one = item(principal, row, now, related)
    const items = set(principal, row, now, related) as readonly (Scalar | null)[] | null
    if (one === null || items === null) return false
    const found = items.includes(one as Scalar)
    // safety: not being in a set that holds null is unknown
    return negated ? !found && !items.includes(null) : found
  }
}

function reader(term: Term): Read {
  switch (term.kind) {
    case 'column': {
      const { name } = term
      return (_, row) => (row[name] ?? null) as Value
    }
    case 'related': {
      const { name } = term
      return (_principal, _row, _now, related) => related?.[name] ?? null
    }
    case 'principal': {
      const { name } = term
      return principal => (principal[name] ?? null) as Value
    }
    case 'literal': {
      const { value } = term
      return () => value
    }
    case 'list': {
      const { values } = term
      return () => values
    }
    case 'now':
      return (_principal, _row, now) => now
  }
}
