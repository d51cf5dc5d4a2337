import { suggest } from '../errors/suggest.js'
import type { Condition, Ordering, Relation, Term } from '../ir/formula.js'
import { isOrdered, typeName } from '../ir/types.js'
import type { Ast } from './ast.js'
import { literalList } from './literals.js'
import { attribute, compatible, pair, rank, reported, type Scope, term, written } from './terms.js'

/** Resolves names and types of a parsed condition. Every fault is reported; null when there was one. */
export function typecheck(ast: Ast, scope: Scope): Condition | null {
  const check = (part: Ast): Condition | null => typecheck(part, scope)
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
      return negatedIf(ast.negated, comparison(ast, scope))
    case 'order':
      return ordering(ast, scope)
    case 'in':
      return negatedIf(ast.negated, membership(ast, scope))
    case 'exists':
    case 'can':
      return quantified(ast, scope)
    case 'path':
      return bare(ast, scope)
    case 'string':
    case 'int':
    case 'null':
    case 'list':
      scope.report({
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

/** exists() and can() over a relation of the resource. */
function quantified(ast: Ast & { kind: 'exists' | 'can' }, scope: Scope): Condition | null {
  const [root, name, more] = ast.path
  if (root?.name !== 'resource' || name === undefined || more !== undefined) {
    const hint = `write resource.<relation>.${ast.kind}(...)`
    return reported(
      scope,
      'TWR_POLICY_SYNTAX',
      `${ast.kind}() is asked of a relation of the resource`,
      ast,
      hint
    )
  }
  if (scope.related !== null) {
    const hint = 'relate to the other table directly, or ask both beside each other'
    return reported(
      scope,
      'TWR_POLICY_UNSUPPORTED',
      'relations of related rows are not supported yet',
      ast,
      hint
    )
  }
  const relation = scope.relation(name.name)
  if (relation === null) return null
  if (relation === undefined) {
    const hint = suggest(name.name, scope.relationNames, 'relations')
    scope.report({
      code: 'TWR_POLICY_UNKNOWN_RELATION',
      message: `${scope.resource} has no relation \`${name.name}\``,
      place: name,
      hint
    })
    return null
  }
  if (ast.kind === 'can') return canRead(ast, relation, scope)
  const { variable } = ast
  if (['resource', 'principal', 'now'].includes(variable.name)) {
    scope.report({
      code: 'TWR_POLICY_RESERVED',
      message: `\`${variable.name}\` is taken`,
      place: variable,
      hint: 'name the related row otherwise'
    })
    return null
  }
  const of = typecheck(ast.of, { ...scope, related: { variable: variable.name, relation } })
  return of === null ? null : { kind: 'exists', relation, of }
}

/** Only rows that may be read count in a relation to a resource, so that one counts is all there is to ask. */
function canRead(ast: Ast & { kind: 'can' }, relation: Relation, scope: Scope): Condition | null {
  if (ast.action.kind !== 'string' || ast.action.value !== 'read') {
    const message = 'of a related row only can("read") is supported'
    return reported(scope, 'TWR_POLICY_UNSUPPORTED', message, ast.action, 'say what must hold with exists()')
  }
  if (!scope.isResource(relation)) {
    const message = `\`${relation.name}\` leads to a plain table, which has no rules`
    return reported(scope, 'TWR_POLICY_RELATION', message, ast, 'say what must hold with exists()')
  }
  return { kind: 'exists', relation, of: { kind: 'const', value: true } }
}

function bare(ast: Ast & { kind: 'path' }, scope: Scope): Condition | null {
  const [only, second] = ast.segments
  if (only !== undefined && second === undefined) {
    const macro = scope.macro(only.name)
    if (macro === 'reported') return null
    if (macro !== undefined) return macro
    scope.report({
      code: 'TWR_POLICY_UNKNOWN_MACRO',
      message: `unknown macro \`${only.name}\``,
      place: only,
      hint: suggest(only.name, scope.macroNames, 'macros')
    })
    return null
  }
  const term = attribute(ast, scope)
  if (term === null) return null
  if (term.type.kind === 'bool') {
    const right: Term = { kind: 'literal', value: true, type: term.type }
    return scope.spanned({ kind: 'eq', left: term, right }, ast)
  }
  scope.report({
    code: 'TWR_POLICY_NOT_BOOLEAN',
    message: `${written(ast)} is ${typeName(term.type)}, not a condition`,
    place: ast,
    hint: 'compare it with something'
  })
  return null
}

function comparison(ast: Ast & { kind: 'equal' }, scope: Scope): Condition | null {
  if (ast.left.kind === 'null' || ast.right.kind === 'null') return nullTest(ast, scope)
  const [left, right] = pair(ast.left, ast.right, scope)
  if (left === null || right === null) return null
  if (left.type.kind === 'set' || right.type.kind === 'set') {
    scope.report({
      code: 'TWR_POLICY_TYPE',
      message: 'sets are not compared with == or !=',
      place: ast,
      hint: 'ask `value in set`'
    })
    return null
  }
  if (!compatible(left, right, left.type, right.type, ast, scope)) return null
  // the column stands left, then the principal, so that one meaning has one form
  const [first, second] = rank(left) <= rank(right) ? [left, right] : [right, left]
  return scope.spanned({ kind: 'eq', left: first, right: second }, ast)
}

const MIRROR: Readonly<Record<Ordering, Ordering>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=' }

function ordering(ast: Ast & { kind: 'order' }, scope: Scope): Condition | null {
  const [left, right] = pair(ast.left, ast.right, scope)
  if (left === null || right === null) return null
  if (!compatible(left, right, left.type, right.type, ast, scope)) return null
  if (!isOrdered(left.type)) {
    const message = `${typeName(left.type)} has no order that both sides share`
    return reported(scope, 'TWR_POLICY_ORDER', message, ast, 'int, date and timestamptz have one')
  }
  if ([left, right].some(side => side.kind === 'literal' && typeof side.value === 'bigint')) {
    const hint = 'int bounds lie within 2^53, times before the year 2255; beyond, == and in are exact'
    return reported(scope, 'TWR_POLICY_LITERAL', 'CASL cannot order by so large a bound', ast, hint)
  }
  return rank(left) <= rank(right)
    ? scope.spanned({ kind: 'order', op: ast.op, left, right }, ast)
    : scope.spanned({ kind: 'order', op: MIRROR[ast.op], left: right, right: left }, ast)
}

function membership(ast: Ast & { kind: 'in' }, scope: Scope): Condition | null {
  if (ast.item.kind === 'null') return reported(scope, 'TWR_POLICY_NULL', 'null is in no set', ast.item)
  if (ast.set.kind !== 'list' && ast.set.kind !== 'path') {
    return reported(
      scope,
      'TWR_POLICY_TYPE',
      'the right side of `in` is a set or a list',
      ast.set,
      'x in ["a", "b"]'
    )
  }
  if (ast.set.kind === 'list') {
    const item = term(ast.item, undefined, scope)
    if (item === null) return null
    if (item.type.kind === 'set') return reported(scope, 'TWR_POLICY_TYPE', 'a set is in no list', ast.item)
    const set = literalList(ast.set, item.type)
    if ('faults' in set) {
      for (const fault of set.faults) scope.report(fault)
      return null
    }
    return compatible(item, set, item.type, item.type, ast, scope)
      ? scope.spanned({ kind: 'in', item, set }, ast)
      : null
  }
  const set = attribute(ast.set, scope)
  if (set === null) return null
  if (set.type.kind !== 'set') {
    return reported(
      scope,
      'TWR_POLICY_TYPE',
      `${written(ast.set)} is ${typeName(set.type)}, not a set`,
      ast.set,
      'use == for one value'
    )
  }
  const item = term(ast.item, set.type.of, scope)
  if (item === null) return null
  return compatible(item, set, item.type, set.type.of, ast, scope)
    ? scope.spanned({ kind: 'in', item, set }, ast)
    : null
}

function nullTest(ast: Ast & { kind: 'equal' }, scope: Scope): Condition | null {
  const other = ast.left.kind === 'null' ? ast.right : ast.left
  if (other.kind !== 'path')
    return reported(scope, 'TWR_POLICY_NULL', 'null is compared with a constant', ast)
  const tested = attribute(other, scope)
  if (tested === null) return null
  if (tested.type.kind === 'set') {
    const hint = 'declare the set NOT NULL with "!", or ask `value in set`'
    return reported(scope, 'TWR_POLICY_NULL', 'a set is not tested for null', ast, hint)
  }
  return scope.spanned({ kind: 'null', term: tested }, ast)
}
