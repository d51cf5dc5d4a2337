import type { Atom, Condition, Ordering, Term } from './formula.js'
import { formatDate, formatTimestamp } from './time.js'
import type { ScalarType } from './types.js'
import type { Scalar } from './values.js'

/** What is true of two values exactly when the ordering is false. With null both are unknown. */
export const OPPOSITE: Readonly<Record<Ordering, Ordering>> = { '<': '>=', '>=': '<', '>': '<=', '<=': '>' }

/** A term in the syntax of the policy files. */
export function printTerm(term: Term): string {
  switch (term.kind) {
    case 'column':
      return `resource.${term.name}`
    case 'related':
      return `related.${term.name}`
    case 'principal':
      return `principal.${term.name}`
    case 'literal':
      return printScalar(term.value, term.type)
    case 'list':
      return `[${term.values.map(value => printScalar(value, term.type.of)).join(', ')}]`
    case 'now':
      return 'now'
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
    case 'order':
      return `${printTerm(atom.left)} ${negated ? OPPOSITE[atom.op] : atom.op} ${printTerm(atom.right)}`
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
    case 'exists':
      return `resource.${condition.relation.name}.exists(related, ${printCondition(condition.of)})`
    case 'atom':
      return printAtom(condition.atom)
  }
}

/** A constant as a policy author writes it. */
export function printScalar(value: Scalar, type: ScalarType): string {
  if (type.kind === 'date') return JSON.stringify(formatDate(Number(value)))
  if (type.kind === 'timestamptz') return JSON.stringify(formatTimestamp(value as number | bigint))
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
