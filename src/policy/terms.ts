import type { PolicyCode } from '../errors/codes.js'
import type { Atom, Condition, Term } from '../ir/formula.js'
import type { Column, PrincipalAttribute } from '../ir/model.js'
import { sameType, type Type, typeName } from '../ir/types.js'
import type { Ast, Fault } from './ast.js'
import { type LiteralFault, literalTerm } from './literals.js'
import { suggest } from './suggest.js'

/** What the names of a condition stand for. null marks a declaration that was reported already. */
export interface Scope {
  readonly resource: string
  column(name: string): Column | null | undefined
  readonly columnNames: readonly string[]
  readonly principal: ReadonlyMap<string, PrincipalAttribute | null>
  /** The condition of a macro, "reported" when it or what it reads is wrong, undefined when there is none. */
  macro(name: string): Condition | 'reported' | undefined
  readonly macroNames: readonly string[]
  report(fault: Fault): void
  /** An atom with its place in the file. */
  spanned(atom: Atom, place: { start: number; end: number }): Condition
}

/** Reports a fault where a value or condition would be. */
export function reported(scope: Scope, code: PolicyCode, message: string, place: Ast, hint?: string): null {
  scope.report({ code, message, place, hint })
  return null
}

/** Two sides of which one may be a literal that takes its type from the other. */
export function pair(left: Ast, right: Ast, scope: Scope): [Term | null, Term | null] {
  if (left.kind === 'path') {
    const first = term(left, undefined, scope)
    return [first, term(right, first?.type, scope)]
  }
  const second = term(right, undefined, scope)
  return [term(left, second?.type, scope), second]
}

/** A value: an attribute, or a literal that takes the expected type. */
export function term(ast: Ast, expected: Type | undefined, scope: Scope): Term | null {
  if (ast.kind === 'path') return attribute(ast, scope)
  const literal: Term | LiteralFault = literalTerm(ast, expected)
  if ('faults' in literal) {
    for (const fault of literal.faults) scope.report(fault)
    return null
  }
  return literal
}

/** An attribute of the resource or the principal. */
export function attribute(ast: Ast & { kind: 'path' }, scope: Scope): Term | null {
  const [root, name, more] = ast.segments
  if (root?.name === 'now' && name === undefined) return { kind: 'now', type: { kind: 'timestamptz' } }
  if (root === undefined || (root.name !== 'resource' && root.name !== 'principal')) {
    const hint = suggest(root?.name ?? '', ['resource', 'principal'], 'a value starts with one of')
    return reported(scope, 'TWR_POLICY_SYNTAX', `unknown name \`${root?.name ?? ''}\``, ast, hint)
  }
  if (name === undefined) {
    return reported(
      scope,
      'TWR_POLICY_SYNTAX',
      `\`${root.name}\` is no value`,
      ast,
      `write ${root.name}.<name>`
    )
  }
  if (more !== undefined) {
    return reported(scope, 'TWR_POLICY_UNSUPPORTED', 'paths into relations are not supported yet', ast)
  }
  const declared = root.name === 'resource' ? scope.column(name.name) : scope.principal.get(name.name)
  if (declared === null) return null
  if (declared !== undefined) {
    const kind = root.name === 'resource' ? 'column' : 'principal'
    return { kind, name: declared.name, type: declared.type }
  }
  const ofRow = root.name === 'resource'
  scope.report({
    code: ofRow ? 'TWR_POLICY_UNKNOWN_COLUMN' : 'TWR_POLICY_UNKNOWN_PRINCIPAL',
    message: ofRow
      ? `${scope.resource} has no column \`${name.name}\``
      : `the principal has no attribute \`${name.name}\``,
    place: name,
    hint: suggest(name.name, ofRow ? scope.columnNames : [...scope.principal.keys()], 'declared')
  })
  return null
}

/** Whether two typed sides may be compared; says why not. */
export function compatible(a: Term, b: Term, left: Type, right: Type, place: Ast, scope: Scope): boolean {
  if (!sameType(left, right)) {
    const hint = left.kind === 'enum' || right.kind === 'enum' ? 'declare both with the same enum' : undefined
    scope.report({
      code: 'TWR_POLICY_TYPE',
      message: `${typeName(left)} is compared with ${typeName(right)}`,
      place,
      hint
    })
    return false
  }
  if (a.kind === 'column' && b.kind === 'column') {
    const hint = 'compare each with the principal or a constant'
    scope.report({
      code: 'TWR_POLICY_TWO_COLUMNS',
      message: 'two columns are compared with each other',
      place,
      hint
    })
    return false
  }
  const reads = [a, b].some(one => one.kind !== 'literal' && one.kind !== 'list')
  if (!reads) {
    const hint = 'write true or false if that is meant'
    scope.report({ code: 'TWR_POLICY_CONSTANT', message: 'the comparison is always the same', place, hint })
  }
  return reads
}

/** Sorts columns before principal attributes before literals. */
export function rank(term: Term): string {
  return `${['column', 'principal', 'now', 'literal', 'list'].indexOf(term.kind)} ${'name' in term ? term.name : ''}`
}

/** A path as it was written. */
export function written(ast: Ast & { kind: 'path' }): string {
  return ast.segments.map(segment => segment.name).join('.')
}
