import type { Atom, Ordering, Relation, Term } from '../ir/formula.js'
import type { Nnf } from '../ir/normal-form.js'
import { flaggedRole } from '../ir/principal.js'
import { OPPOSITE, printScalar } from '../ir/print.js'

/** A form as a person says it: "its tenant_id is theirs and they hold the role editor". */
export function words(form: Nnf): string {
  switch (form.kind) {
    case 'const':
      return form.value ? 'always' : 'never'
    case 'literal':
      return atomWords(form.atom, form.negated)
    case 'and':
    case 'or':
      return form.of.map(nested).join(` ${form.kind} `)
    case 'exists':
    case 'every':
      return relatedWords(form.kind === 'exists' ? 'some' : 'every', form.relation, form.of)
  }
}

/** Groups inside of a group stand in brackets: which belongs to which must not be guessed. */
function nested(form: Nnf): string {
  return form.kind === 'literal' || form.kind === 'const' ? words(form) : `(${words(form)})`
}

function relatedWords(which: 'some' | 'every', { name, readable }: Relation, of: Nnf): string {
  const rows = `${which} row of its ${name}${readable === null ? '' : ' that they may read'}`
  return of.kind === 'const' && of.value && which === 'some'
    ? `there is ${rows}`
    : `for ${rows}: ${words(of)}`
}

function atomWords(atom: Atom, negated: boolean): string {
  const not = negated ? ' not' : ''
  switch (atom.kind) {
    case 'eq':
      return equalWords(atom.left, atom.right, negated)
    case 'order': {
      const op = negated ? OPPOSITE[atom.op] : atom.op
      const inTime = atom.left.type.kind === 'date' || atom.left.type.kind === 'timestamptz'
      return `${termWords(atom.left)} is ${(inTime ? IN_TIME : IN_NUMBERS)[op]} ${termWords(atom.right)}`
    }
    case 'in': {
      if (atom.set.kind !== 'list') return `${termWords(atom.item)} is${not} among ${termWords(atom.set)}`
      return `${termWords(atom.item)} is ${negated ? 'none' : 'one'} of ${termWords(atom.set)}`
    }
    case 'null':
      return `${termWords(atom.term)} is${not} empty`
  }
}

const IN_TIME: Readonly<Record<Ordering, string>> = {
  '<': 'before',
  '<=': 'not after',
  '>': 'after',
  '>=': 'not before'
}
const IN_NUMBERS: Readonly<Record<Ordering, string>> = {
  '<': 'less than',
  '<=': 'at most',
  '>': 'more than',
  '>=': 'at least'
}

function equalWords(left: Term, right: Term, negated: boolean): string {
  const not = negated ? ' not' : ''
  const role = left.kind === 'principal' && right.kind === 'literal' ? flaggedRole(left.name) : null
  if (role !== null && right.kind === 'literal' && right.value === true) {
    return `they ${negated ? 'do not hold' : 'hold'} the role ${role}`
  }
  if (left.kind === 'column' && right.kind === 'principal' && left.name === right.name) {
    return `${termWords(left)} is${not} theirs`
  }
  return `${termWords(left)} is${not} ${termWords(right)}`
}

function termWords(term: Term): string {
  switch (term.kind) {
    case 'column':
      return `its ${term.name}`
    case 'related':
      return `that row's ${term.name}`
    case 'principal':
      return `their ${term.name}`
    case 'literal':
      return printScalar(term.value, term.type)
    case 'list':
      return term.values.map(value => printScalar(value, term.type.of)).join(', ')
    case 'now':
      return 'now'
  }
}
