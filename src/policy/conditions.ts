import { PolicyError } from '../errors/errors.js'
import type { Condition } from '../ir/formula.js'
import type { Column, PrincipalAttribute } from '../ir/model.js'
import type { Ast, Fault } from './ast.js'
import { parseCondition } from './parse-condition.js'
import type { Relations } from './relations.js'
import type { Declared } from './sections.js'
import type { Path, Source } from './source.js'
import { ConditionFault } from './tokens.js'
import { typecheck } from './typecheck.js'

/** A longer condition is refused: nobody reviews it. Characters. */
const MAX_LENGTH = 4096

/** What is declared around the conditions of one resource. */
export interface Surroundings {
  readonly resource: string
  readonly columns: ReadonlyMap<string, Column | null>
  readonly relations: Relations
  /** False when a trait is unknown, so that the columns it would bring are not reported one by one. */
  readonly complete: boolean
  readonly principal: ReadonlyMap<string, PrincipalAttribute | null>
  readonly macros: Macros
}

/** The parsed macros. One that cannot be parsed is reported once, however often it is used. */
export interface Macros {
  readonly names: readonly string[]
  find(name: string): { readonly declared: Declared; readonly ast: Ast | null } | undefined
}

/** Parses every macro once. */
export function parseMacros(declared: ReadonlyMap<string, Declared>, problems: PolicyError[]): Macros {
  const parsed = new Map(
    [...declared.values()].map(one => {
      const ast = parseAt(one.value, one.source, one.path, problems)
      return [one.name, { declared: one, ast }] as const
    })
  )
  return { names: [...parsed.keys()], find: name => parsed.get(name) }
}

/** The condition at a path with names and types resolved, or null when it was reported. */
export function resolveCondition(
  value: unknown,
  source: Source,
  path: Path,
  around: Surroundings,
  problems: PolicyError[]
): Condition | null {
  const ast = parseAt(value, source, path, problems)
  return ast === null ? null : resolveAst(ast, source, path, around, problems, [])
}

function resolveAst(
  ast: Ast,
  source: Source,
  path: Path,
  around: Surroundings,
  problems: PolicyError[],
  open: readonly string[]
): Condition | null {
  const report = (fault: Fault): void => {
    const span = source.textSpan(path, fault.place.start, fault.place.end)
    problems.push(new PolicyError(fault.code, fault.message, span, fault.hint))
  }
  return typecheck(ast, {
    report,
    resource: around.resource,
    column: name => (around.columns.has(name) || around.complete ? around.columns.get(name) : null),
    columnNames: [...around.columns.keys()],
    relation: name => {
      const found = around.relations.get(name)
      return found === undefined ? (around.complete ? undefined : null) : (found?.relation ?? null)
    },
    isResource: relation => around.relations.get(relation.name)?.target != null,
    relationNames: [...around.relations.keys()],
    related: null,
    principal: around.principal,
    macroNames: around.macros.names,
    spanned: (atom, { start, end }) => ({ kind: 'atom', atom, span: source.textSpan(path, start, end) }),
    macro: name => {
      const found = around.macros.find(name)
      if (found === undefined) return undefined
      if (open.includes(name)) {
        const { declared } = found
        const message = `the macro \`${name}\` uses itself: ${[...open.slice(open.indexOf(name)), name].join(' -> ')}`
        problems.push(
          new PolicyError('TWR_POLICY_MACRO_CYCLE', message, declared.source.keySpanOf(declared.path))
        )
        return 'reported'
      }
      const { declared, ast: inner } = found
      if (inner === null) return 'reported'
      const within = [...open, name]
      return resolveAst(inner, declared.source, declared.path, around, problems, within) ?? 'reported'
    }
  })
}

function parseAt(value: unknown, source: Source, path: Path, problems: PolicyError[]): Ast | null {
  if (typeof value === 'boolean') return { kind: 'bool', value, start: 0, end: 0 }
  if (typeof value !== 'string') return null
  if (value.length > MAX_LENGTH) {
    const message = `a condition of ${value.length} characters; the limit is ${MAX_LENGTH}`
    const hint = 'split it with macros or into several rules'
    problems.push(new PolicyError('TWR_POLICY_CONDITION_SIZE', message, source.spanOf(path), hint))
    return null
  }
  try {
    return parseCondition(value)
  } catch (fault) {
    if (!(fault instanceof ConditionFault)) throw fault
    const span = source.textSpan(path, fault.start, fault.end)
    problems.push(new PolicyError(fault.code, fault.message, span, fault.hint))
    return null
  }
}
