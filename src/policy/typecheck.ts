import type { PolicyCode } from '../errors/codes.js'
import type { Atom, Condition, Term } from '../ir/formula.js'
import type { Column, PrincipalAttribute } from '../ir/model.js'
import { sameType, type Type, typeName } from '../ir/types.js'
import type { Ast } from './ast.js'
import { type LiteralFault, literalList, literalTerm } from './literals.js'
import { suggest } from './suggest.js'

/** A mistake at a place of the condition's text. */
export interface Fault {
  readonly code: PolicyCode
  readonly message: string
  readonly place: { readonly start: number; readonly end: number }
  readonly hint?: string | undefined
}

/** What the names of a condition stand for. null marks a declaration that was reported already. */
export interface Scope {
  readonly resource: string
  readonly columns: ReadonlyMap<string, Column | null>
  readonly principal: ReadonlyMap<string, PrincipalAttribute | null>
  /** The condition of a macro, "reported" when it or what it reads is wrong, undefined when there is none. */
  macro(name: string): Condition | 'reported' | undefined
  readonly macroNames: readonly string[]
  spanned(atom: Atom, place: { start: number; end: number }): Condition
}

/** Resolves names and types of a parsed condition. Every fault is reported; null when there was one. */
export function typecheck(ast: Ast, scope: Scope, report: (fault: Fault) => void): Condition | null {
  const check = (part: Ast): Condition | null => typecheck(part, scope, report)
  switch (ast.kind) {
    case 'and':
    case 'or': {
      const parts = ast.of.map(check)
      const whole = parts.filter(part => part !== null)
      return whole.length === parts.length ? { kind: ast.kind, of: whole } : null
    }
    case 'not': {
      const of = check(ast.of)
      return of === null ? null : { kind: 'not', of }
    }
    case 'bool':
      return { kind: 'const', value: ast.value }
    case 'equal':
      return negatedIf(ast.negated, comparison(ast, scope, report))
    case 'in':
      return negatedIf(ast.negated, membership(ast, scope, report))
    case 'path':
      return bare(ast, scope, report)
    case 'string':
    case 'int':
    case 'null':
    case 'list':
      report({
        code: 'TWR_POLICY_NOT_BOOLEAN',
        message: 'this is a value, not a condition',
        place: ast,
        hint: 'compare it with something'
      })
      return null
  }
}

function negatedIf(negated: boolean, condition: Condition | null): Condition | null {
  return condition !== null && negated ? { kind: 'not', of: condition } : condition
}

function bare(ast: Ast & { kind: 'path' }, scope: Scope, report: (fault: Fault) => void): Condition | null {
  const [only, second] = ast.segments
  if (only !== undefined && second === undefined) {
    const macro = scope.macro(only.name)
    if (macro === 'reported') return null
    if (macro !== undefined) return macro
    report({
      code: 'TWR_POLICY_UNKNOWN_MACRO',
      message: `unknown macro \`${only.name}\``,
      place: only,
      hint: suggest(only.name, scope.macroNames, 'macros')
    })
    return null
  }
  const term = attribute(ast, scope, report)
  if (term === null) return null
  if (term.type.kind === 'bool') {
    const right: Term = { kind: 'literal', value: true, type: term.type }
    return scope.spanned({ kind: 'eq', left: term, right }, ast)
  }
  report({
    code: 'TWR_POLICY_NOT_BOOLEAN',
    message: `${written(ast)} is ${typeName(term.type)}, not a condition`,
    place: ast,
    hint: 'compare it with something'
  })
  return null
}

function comparison(
  ast: Ast & { kind: 'equal' },
  scope: Scope,
  report: (fault: Fault) => void
): Condition | null {
  if (ast.left.kind === 'null' || ast.right.kind === 'null') return nullTest(ast, scope, report)
  const [left, right] = pair(ast.left, ast.right, scope, report)
  if (left === null || right === null) return null
  if (left.type.kind === 'set' || right.type.kind === 'set') {
    report({
      code: 'TWR_POLICY_TYPE',
      message: 'sets are not compared with == or !=',
      place: ast,
      hint: 'ask `value in set`'
    })
    return null
  }
  if (!compatible(left, right, left.type, right.type, ast, report)) return null
  // the column stands left, then the principal, so that one meaning has one form
  const [first, second] = rank(left) <= rank(right) ? [left, right] : [right, left]
  return scope.spanned({ kind: 'eq', left: first, right: second }, ast)
}

function membership(
  ast: Ast & { kind: 'in' },
  scope: Scope,
  report: (fault: Fault) => void
): Condition | null {
  if (ast.item.kind === 'null') return reported(report, 'TWR_POLICY_NULL', 'null is in no set', ast.item)
  if (ast.set.kind !== 'list' && ast.set.kind !== 'path') {
    return reported(
      report,
      'TWR_POLICY_TYPE',
      'the right side of `in` is a set or a list',
      ast.set,
      'x in ["a", "b"]'
    )
  }
  if (ast.set.kind === 'list') {
    const item = term(ast.item, undefined, scope, report)
    if (item === null) return null
    if (item.type.kind === 'set') return reported(report, 'TWR_POLICY_TYPE', 'a set is in no list', ast.item)
    const set = literalList(ast.set, item.type)
    if ('faults' in set) {
      for (const fault of set.faults) report(fault)
      return null
    }
    return compatible(item, set, item.type, item.type, ast, report)
      ? scope.spanned({ kind: 'in', item, set }, ast)
      : null
  }
  const set = attribute(ast.set, scope, report)
  if (set === null) return null
  if (set.type.kind !== 'set') {
    return reported(
      report,
      'TWR_POLICY_TYPE',
      `${written(ast.set)} is ${typeName(set.type)}, not a set`,
      ast.set,
      'use == for one value'
    )
  }
  const item = term(ast.item, set.type.of, scope, report)
  if (item === null) return null
  return compatible(item, set, item.type, set.type.of, ast, report)
    ? scope.spanned({ kind: 'in', item, set }, ast)
    : null
}

function nullTest(
  ast: Ast & { kind: 'equal' },
  scope: Scope,
  report: (fault: Fault) => void
): Condition | null {
  const other = ast.left.kind === 'null' ? ast.right : ast.left
  if (other.kind !== 'path')
    return reported(report, 'TWR_POLICY_NULL', 'null is compared with a constant', ast)
  const tested = attribute(other, scope, report)
  if (tested === null) return null
  if (tested.type.kind === 'set') {
    const hint = 'declare the set NOT NULL with "!", or ask `value in set`'
    return reported(report, 'TWR_POLICY_NULL', 'a set is not tested for null', ast, hint)
  }
  return scope.spanned({ kind: 'null', term: tested }, ast)
}

function reported(
  report: (fault: Fault) => void,
  code: PolicyCode,
  message: string,
  place: Ast,
  hint?: string
): null {
  report({ code, message, place, hint })
  return null
}

/** Two sides of which one may be a literal that takes its type from the other. */
function pair(
  left: Ast,
  right: Ast,
  scope: Scope,
  report: (fault: Fault) => void
): [Term | null, Term | null] {
  if (left.kind === 'path') {
    const first = term(left, undefined, scope, report)
    return [first, term(right, first?.type, scope, report)]
  }
  const second = term(right, undefined, scope, report)
  return [term(left, second?.type, scope, report), second]
}

function term(
  ast: Ast,
  expected: Type | undefined,
  scope: Scope,
  report: (fault: Fault) => void
): Term | null {
  if (ast.kind === 'path') return attribute(ast, scope, report)
  const literal: Term | LiteralFault = literalTerm(ast, expected)
  if ('faults' in literal) {
    for (const fault of literal.faults) report(fault)
    return null
  }
  return literal
}

function attribute(ast: Ast & { kind: 'path' }, scope: Scope, report: (fault: Fault) => void): Term | null {
  const [root, name, more] = ast.segments
  if (root === undefined || (root.name !== 'resource' && root.name !== 'principal')) {
    const hint = suggest(root?.name ?? '', ['resource', 'principal'], 'a value starts with one of')
    const message =
      root?.name === 'now' ? '`now` is not supported yet' : `unknown name \`${root?.name ?? ''}\``
    const code = root?.name === 'now' ? 'TWR_POLICY_UNSUPPORTED' : 'TWR_POLICY_SYNTAX'
    return reported(report, code, message, ast, hint)
  }
  if (name === undefined) {
    return reported(
      report,
      'TWR_POLICY_SYNTAX',
      `\`${root.name}\` is no value`,
      ast,
      `write ${root.name}.<name>`
    )
  }
  if (more !== undefined) {
    return reported(report, 'TWR_POLICY_UNSUPPORTED', 'paths into relations are not supported yet', ast)
  }
  const declared = root.name === 'resource' ? scope.columns.get(name.name) : scope.principal.get(name.name)
  if (declared === null) return null
  if (declared !== undefined) {
    const kind = root.name === 'resource' ? 'column' : 'principal'
    return { kind, name: declared.name, type: declared.type }
  }
  const [code, message, known] =
    root.name === 'resource'
      ? ([
          'TWR_POLICY_UNKNOWN_COLUMN',
          `${scope.resource} has no column \`${name.name}\``,
          scope.columns
        ] as const)
      : ([
          'TWR_POLICY_UNKNOWN_PRINCIPAL',
          `the principal has no attribute \`${name.name}\``,
          scope.principal
        ] as const)
  report({ code, message, place: name, hint: suggest(name.name, [...known.keys()], 'declared') })
  return null
}

function compatible(
  a: Term,
  b: Term,
  left: Type,
  right: Type,
  place: Ast,
  report: (fault: Fault) => void
): boolean {
  if (!sameType(left, right)) {
    const hint = left.kind === 'enum' || right.kind === 'enum' ? 'declare both with the same enum' : undefined
    report({
      code: 'TWR_POLICY_TYPE',
      message: `${typeName(left)} is compared with ${typeName(right)}`,
      place,
      hint
    })
    return false
  }
  if (a.kind === 'column' && b.kind === 'column') {
    const hint = 'compare each with the principal or a constant'
    report({
      code: 'TWR_POLICY_TWO_COLUMNS',
      message: 'two columns are compared with each other',
      place,
      hint
    })
    return false
  }
  const reads = [a, b].some(one => one.kind === 'column' || one.kind === 'principal')
  if (!reads) {
    const hint = 'write true or false if that is meant'
    report({ code: 'TWR_POLICY_CONSTANT', message: 'the comparison is always the same', place, hint })
  }
  return reads
}

function rank(term: Term): string {
  return `${['column', 'principal', 'literal', 'list'].indexOf(term.kind)} ${'name' in term ? term.name : ''}`
}

function written(ast: Ast & { kind: 'path' }): string {
  return ast.segments.map(segment => segment.name).join('.')
}
