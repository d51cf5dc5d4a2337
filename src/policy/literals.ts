import { suggest } from '../errors/suggest.js'
import type { Term } from '../ir/formula.js'
import type { ScalarType, Type } from '../ir/types.js'
import { canonicalScalar, type Scalar } from '../ir/values.js'
import type { Ast, Fault } from './ast.js'

/** Why a literal stands for nothing. */
export interface LiteralFault {
  readonly faults: readonly Fault[]
}

const EXAMPLES: Readonly<Partial<Record<ScalarType['kind'], string>>> = {
  uuid: 'a uuid looks like "00000000-0000-0000-0000-000000000001"',
  date: 'a date looks like "2026-12-31"',
  timestamptz: 'a point in time looks like "2026-12-31T23:59:59Z"'
}

/** A literal with the type of what it is compared with; alone it has the type of its form. */
export function literalTerm(
  ast: Ast,
  expected: Type | undefined
): (Term & { kind: 'literal' }) | LiteralFault {
  if (ast.kind !== 'string' && ast.kind !== 'int' && ast.kind !== 'bool') return { faults: [notAValue(ast)] }
  const own: ScalarType =
    ast.kind === 'string' ? { kind: 'text' } : ast.kind === 'int' ? { kind: 'int' } : { kind: 'bool' }
  const type = expected === undefined || expected.kind === 'set' || !takes(expected, own) ? own : expected
  const input =
    ast.kind === 'int' ? ast.digits.replace(/^(-?)0+(?=[0-9])/, '$1').replace(/^-0$/, '0') : ast.value
  const value = canonicalScalar(type, input)
  if (value.ok) return { kind: 'literal', value: value.value, type }
  if (type.kind === 'enum') {
    const message = `${JSON.stringify(input)} is no label of ${type.name}`
    const hint = suggest(String(input), type.labels, 'labels')
    return { faults: [{ code: 'TWR_POLICY_UNKNOWN_LABEL', message, place: ast, hint }] }
  }
  const hint = EXAMPLES[type.kind]
  return {
    faults: [
      {
        code: 'TWR_POLICY_LITERAL',
        message: own.kind === 'text' ? `the text is no ${type.kind}` : value.problem,
        place: ast,
        hint
      }
    ]
  }
}

/** A list of literals of one type, without repetition and in a fixed order. */
export function literalList(
  ast: Ast & { kind: 'list' },
  of: ScalarType
): (Term & { kind: 'list' }) | LiteralFault {
  const faults: Fault[] = []
  const values = new Map<string, Scalar>()
  for (const item of ast.items) {
    const literal = literalTerm(item, of)
    if ('faults' in literal) faults.push(...literal.faults)
    else if (!takes(of, literal.type)) {
      faults.push({
        code: 'TWR_POLICY_TYPE',
        message: `a ${literal.type.kind} in a list of ${of.kind}`,
        place: item
      })
    } else values.set(`${typeof literal.value} ${literal.value}`, literal.value)
  }
  if (faults.length > 0) return { faults }
  const sorted = [...values.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
  return { kind: 'list', values: sorted, type: { kind: 'set', of } }
}

/** Text literals also stand for uuids, enum labels, dates and points in time. */
function takes(expected: ScalarType, own: ScalarType): boolean {
  if (own.kind === 'text') return expected.kind !== 'int' && expected.kind !== 'bool'
  return expected.kind === own.kind
}

function notAValue(ast: Ast): Fault {
  if (ast.kind === 'null') {
    return {
      code: 'TWR_POLICY_NULL',
      message: 'null in a list or comparison',
      place: ast,
      hint: 'test it with == null'
    }
  }
  if (ast.kind === 'list') {
    return { code: 'TWR_POLICY_TYPE', message: 'a list stands only right of `in`', place: ast }
  }
  const hint = 'compare single values; join comparisons with && and ||'
  return { code: 'TWR_POLICY_TYPE', message: 'a condition is compared like a value', place: ast, hint }
}
