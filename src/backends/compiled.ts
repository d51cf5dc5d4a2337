import type { Values } from '../ir/evaluate.js'
import type { Atom, Term } from '../ir/formula.js'
import type { Nnf } from '../ir/normal-form.js'
import type { Scalar, Value } from '../ir/values.js'

/** Whether a form is definitely true for a principal and a row, both of canonical values. */
export type Predicate = (principal: Values, row: Values) => boolean

type Read = (principal: Values, row: Values) => Value

/** Compiles a normal form to closures: no interpretation, no allocation and no state on the decision path. */
export function compilePredicate(form: Nnf): Predicate {
  switch (form.kind) {
    case 'const':
      return form.value ? () => true : () => false
    case 'literal':
      return compileLiteral(form.atom, form.negated)
    case 'and': {
      const parts = form.of.map(compilePredicate)
      return (principal, row) => {
        for (const part of parts) if (!part(principal, row)) return false
        return true
      }
    }
    case 'or': {
      const parts = form.of.map(compilePredicate)
      return (principal, row) => {
        for (const part of parts) if (part(principal, row)) return true
        return false
      }
    }
  }
}

function compileLiteral(atom: Atom, negated: boolean): Predicate {
  switch (atom.kind) {
    case 'eq': {
      const left = reader(atom.left)
      const right = reader(atom.right)
      // safety: null equals nothing and differs from nothing
      return (principal, row) => {
        const a = left(principal, row)
        const b = right(principal, row)
        return a !== null && b !== null && (a === b) !== negated
      }
    }
    case 'in':
      return compileMembership(reader(atom.item), reader(atom.set), negated)
    case 'null': {
      const tested = reader(atom.term)
      return (principal, row) => (tested(principal, row) === null) !== negated
    }
  }
}

function compileMembership(item: Read, set: Read, negated: boolean): Predicate {
  return (principal, row) => {
    const one = item(principal, row)
    const items = set(principal, row) as readonly (Scalar | null)[] | null
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
      return (_, row) => row[name] ?? null
    }
    case 'principal': {
      const { name } = term
      return principal => principal[name] ?? null
    }
    case 'literal': {
      const { value } = term
      return () => value
    }
    case 'list': {
      const { values } = term
      return () => values
    }
  }
}
