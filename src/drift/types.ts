import { SQL_TYPE } from '../backends/sql/terms.js'
import type { Bundle, Column } from '../ir/model.js'
import { kindOf, listOf, nameOf, type Tree } from '../prove/tree.js'
import type { TypeOf } from './canonical.js'

/**
 * The types of what stands in a table's policies: columns by the policy file, and results of functions by the compiled
 * statements. A column name that stands for two types stands for none.
 */
export function typesOf(bundle: Bundle, returns: ReadonlyMap<string, string>): (table: string) => TypeOf {
  const tables = new Map(
    bundle.resources.map(({ table, columns, relations }) => [
      `public.${table}`,
      spelledColumns([...columns, ...relations.flatMap(one => one.columns)])
    ])
  )
  return table => {
    const columns = tables.get(table)
    return operand => columnType(operand, columns) ?? functionType(operand, returns)
  }
}

function spelledColumns(columns: readonly Column[]): ReadonlyMap<string, string> {
  const types = new Map<string, string>()
  for (const { name, type } of columns) {
    const scalar = SQL_TYPE[type.kind === 'set' ? type.of.kind : type.kind]
    const word = scalar === 'timestamptz' ? 'timestamp with time zone' : scalar
    const spelled = type.kind === 'set' ? `${word}[]` : word
    types.set(name, (types.get(name) ?? spelled) === spelled ? spelled : '')
  }
  return types
}

function columnType(operand: unknown, columns: ReadonlyMap<string, string> | undefined): string | undefined {
  const [kind, fields] = kindOf(operand)
  if (kind !== 'ColumnRef') return undefined
  const last = listOf(fields['fields']).at(-1)
  const known = kindOf(last)[0] === 'String' ? columns?.get(nameOf([last])[0] ?? '') : undefined
  return known === '' ? undefined : known
}

/** `(SELECT f())` and `f()`. */
function functionType(operand: unknown, returns: ReadonlyMap<string, string>): string | undefined {
  const [kind, fields] = kindOf(operand)
  if (kind === 'FuncCall') return returns.get(nameOf(fields['funcname']).join('.'))
  if (kind !== 'SubLink' || fields['subLinkType'] !== 'EXPR_SUBLINK') return undefined
  const [target, ...more] = listOf((kindOf(fields['subselect'])[1] as Tree)['targetList'])
  return target === undefined || more.length > 0 ? undefined : functionType(kindOf(target)[1]['val'], returns)
}
