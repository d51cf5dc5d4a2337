import type { PolicyCode } from '../errors/codes.js'
import { suggest } from '../errors/suggest.js'
import type { Atom, Condition, Relation, Term } from '../ir/formula.js'
import type { Column, PrincipalAttribute } from '../ir/model.js'
import { sameType, type Type, typeName } from '../ir/types.js'
import type { Ast, Fault, Segment } from './ast.js'
import { type LiteralFault, literalTerm } from './literals.js'

/** What the names of a condition stand for. null marks a declaration that was reported already. */
export interface Scope {
  readonly resource: string
  column(name: string): Column | null | undefined
  readonly columnNames: readonly string[]
  relation(name: string): Relation | null | undefined
  readonly relationNames: readonly string[]
  /** Whether a relation leads to a resource, whose rules say who may read its rows. */
  isResource(relation: Relation): boolean
  /** The related row that is spoken of, inside of an exists(). */
  readonly related: { readonly variable: string; readonly relation: Relation } | null
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
  const variable = scope.related?.variable
  if (root?.name === 'now' && name === undefined) return { kind: 'now', type: { kind: 'timestamptz' } }
  if (root === undefined || !['resource', 'principal', variable].includes(root.name)) {
    const roots = ['resource', 'principal', ...(variable === undefined ? [] : [variable])]
    const hint = suggest(root?.name ?? '', roots, 'a value starts with one of')
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
    const hint = `related rows are asked with ${root.name}.${name.name}.exists(row, row.${more.name} == ...)`
    return reported(scope, 'TWR_POLICY_SYNTAX', 'a value has one name after its root', ast, hint)
  }
  if (root.name === 'principal') return principalTerm(name, scope)
  return root.name === 'resource' ? columnTerm(name, scope) : relatedTerm(name, scope)
}

function principalTerm(name: Segment, scope: Scope): Term | null {
  const declared = scope.principal.get(name.name)
  if (declared === null) return null
  if (declared !== undefined) return { kind: 'principal', name: declared.name, type: declared.type }
  const message = `the principal has no attribute \`${name.name}\``
  return unknownName(scope, 'TWR_POLICY_UNKNOWN_PRINCIPAL', message, name, [...scope.principal.keys()])
}

function columnTerm(name: Segment, scope: Scope): Term | null {
  const declared = scope.column(name.name)
  if (declared === null) return null
  if (declared !== undefined) return { kind: 'column', name: declared.name, type: declared.type }
  if (scope.relationNames.includes(name.name)) {
    const hint = `ask resource.${name.name}.exists(row, ...) or resource.${name.name}.can("read")`
    scope.report({ code: 'TWR_POLICY_TYPE', message: 'a relation is no value', place: name, hint })
    return null
  }
  const message = `${scope.resource} has no column \`${name.name}\``
  return unknownName(scope, 'TWR_POLICY_UNKNOWN_COLUMN', message, name, scope.columnNames)
}

function relatedTerm(name: Segment, scope: Scope): Term | null {
  const columns = scope.related?.relation.columns ?? []
  const declared = columns.find(column => column.name === name.name)
  if (declared !== undefined) return { kind: 'related', name: declared.name, type: declared.type }
  const message = `the related row has no column \`${name.name}\``
  return unknownName(
    scope,
    'TWR_POLICY_UNKNOWN_COLUMN',
    message,
    name,
    columns.map(column => column.name)
  )
}

function unknownName(
  scope: Scope,
  code: PolicyCode,
  message: string,
  place: Segment,
  known: readonly string[]
): null {
  scope.report({ code, message, place, hint: suggest(place.name, known, 'declared') })
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
  if (isColumn(a) && isColumn(b)) {
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

function isColumn({ kind }: Term): boolean {
  return kind === 'column' || kind === 'related'
}

/** Sorts columns before principal attributes before literals. */
export function rank(term: Term): string {
  return `${['column', 'related', 'principal', 'now', 'literal', 'list'].indexOf(term.kind)} ${'name' in term ? term.name : ''}`
}

/** A path as it was written. */
export function written(ast: Ast & { kind: 'path' }): string {
  return ast.segments.map(segment => segment.name).join('.')
}
