import { type Case, termValue } from '../../ir/evaluate.js'
import type { Atom, Term } from '../../ir/formula.js'
import { printTerm } from '../../ir/print.js'

/** Why an atom is neither true nor false, in words. Only asked where it is unknown. */
export function whyUnknown(atom: Atom, at: Case): string {
  switch (atom.kind) {
    case 'eq':
    case 'order':
      return nullTerms([atom.left, atom.right], at)
    case 'in': {
      const missing = nullTerms([atom.item, atom.set], at)
      // an item that is not there and a null that could be it
      return missing === ''
        ? `${printTerm(atom.item)} is not in it, and ${printTerm(atom.set)} holds a null, which could be it`
        : missing
    }
    case 'null':
      return ''
  }
}

function nullTerms(terms: readonly Term[], at: Case): string {
  const missing = terms.filter(term => termValue(term, at) === null).map(printTerm)
  const [first, second] = missing
  if (first === undefined) return ''
  return second === undefined ? `${first} is null` : `${first} and ${second} are null`
}
