import type { LiveCheck } from '../db/catalog/tables.js'
import { canonical } from '../drift/canonical.js'
import type { Parser } from '../prove/read-back.js'
import { kindOf, listOf, nameOf, ReadBackError, type Tree } from '../prove/tree.js'

/** The values that CHECK constraints leave to a column. */
export interface Allowed {
  /** Null where nothing is known to limit them. */
  readonly values: ReadonlySet<string> | null
  /** Whether older rows keep to it too. */
  readonly validated: boolean
}

/** What the constraints of one column allow together. Constraints of other forms allow what they may. */
export function allowedBy(checks: readonly LiveCheck[], parse: Parser): Allowed {
  const known = checks.flatMap(({ column, expression, validated }) => {
    const values = valuesOf(treeOf(expression, parse), column)
    return values === null ? [] : [{ values, validated }]
  })
  const [first, ...rest] = known
  if (first === undefined) return { values: null, validated: false }
  const values = [...first.values].filter(value => rest.every(one => one.values.has(value)))
  return { values: new Set(values), validated: known.every(({ validated }) => validated) }
}

function treeOf(expression: string, parse: Parser): unknown {
  try {
    const [statement] = parse(`SELECT ${expression}`)
    const [target] = listOf(kindOf(statement)[1]['targetList'])
    return canonical(kindOf(target)[1]['val'], operand =>
      kindOf(operand)[0] === 'ColumnRef' ? 'text' : undefined
    )
  } catch (error) {
    if (error instanceof ReadBackError) return undefined
    throw error
  }
}

/** The values for which an expression can be true, null where that is not clear. NULL is no value. */
function valuesOf(node: unknown, column: string): ReadonlySet<string> | null {
  if (node === undefined) return null
  const [kind, fields] = kindOf(node)
  if (kind === 'A_Expr') return valuesOfOperator(fields, column)
  if (kind === 'NullTest') return fields['nulltesttype'] === 'IS_NULL' ? new Set() : null
  if (kind !== 'BoolExpr') return null
  const parts = listOf(fields['args']).map(part => valuesOf(part, column))
  const known = parts.filter(part => part !== null)
  if (fields['boolop'] === 'OR_EXPR') {
    return known.length < parts.length ? null : new Set(known.flatMap(part => [...part]))
  }
  const [first, ...rest] = known
  if (fields['boolop'] !== 'AND_EXPR' || first === undefined) return null
  return new Set([...first].filter(value => rest.every(part => part.has(value))))
}

function valuesOfOperator({ kind, name, lexpr, rexpr }: Tree, column: string): ReadonlySet<string> | null {
  const [symbol] = nameOf(name)
  if (!isColumn(lexpr, column)) return null
  if (kind === 'AEXPR_OP' && symbol === '=') return texts([rexpr])
  const [right, { elements }] = kindOf(rexpr)
  const listed = (kind === 'AEXPR_OP_ANY' && symbol === '=') || (kind === 'AEXPR_OP' && symbol === '<@')
  return listed && right === 'A_ArrayExpr' ? texts(listOf(elements)) : null
}

function isColumn(node: unknown, column: string): boolean {
  const [kind, { fields }] = kindOf(node)
  return kind === 'ColumnRef' && nameOf(fields).at(-1) === column
}

function texts(nodes: readonly unknown[]): ReadonlySet<string> | null {
  const values = nodes.map(node => {
    const [kind, { sval }] = kindOf(node)
    return kind === 'A_Const' && typeof sval === 'object' ? String((sval as Tree)['sval'] ?? '') : null
  })
  return values.includes(null) ? null : new Set(values.filter(value => value !== null))
}
