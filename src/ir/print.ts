import type { Atom, Condition, Term } from './formula.js'
import type { Scalar } from './values.js'

/** A term in the syntax of the policy files. */
export function printTerm(term: Term): string {
  switch (term.kind) {
    case 'column':
      return `resource.${term.name}`
    case 'principal':
      return `principal.${term.name}`
    case 'literal':
      return printScalar(term.value)
    case 'list':
      return `[${term.values.map(printScalar).join(', ')}]`
  }
}

/** An atom in the syntax of the policy files; with `negated` in its negated spelling. */
export function printAtom(atom: Atom, negated = false): string {
  switch (atom.kind) {
    case 'eq':
      if (atom.right.kind === 'literal' && atom.right.value === true) {
        return `${negated ? '!' : ''}${printTerm(atom.left)}`
      }
      return `${printTerm(atom.left)} ${negated ? '!=' : '=='} ${printTerm(atom.right)}`
    case 'in':
      return `${printTerm(atom.item)} ${negated ? 'not in' : 'in'} ${printTerm(atom.set)}`
    case 'null':
      return `${printTerm(atom.term)} ${negated ? '!=' : '=='} null`
  }
}

/** A condition in the syntax of the policy files, every group in parentheses. */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'const':
      return String(condition.value)
    case 'and':
    case 'or':
      return `(${condition.of.map(printCondition).join(condition.kind === 'and' ? ' && ' : ' || ')})`
    case 'not':
      return `!(${printCondition(condition.of)})`
    case 'atom':
      return printAtom(condition.atom)
  }
}

function printScalar(value: Scalar): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
