import type { Names } from './names.js'
import type { Parser } from './read-back.js'
import { readGuard } from './read-clause.js'
import { readExpression } from './read-expression.js'
import type { SqlExpression } from './sql-expression.js'
import { structureOf } from './structure.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** What a list of one page asks, in every arm the same. */
interface Shape {
  readonly columns: string
  readonly order: string
  readonly limit: string
}

/**
 * The condition on which the statement of a list shows a row: that of some arm. Each arm is a query over the table with
 * the columns, the order and the limit of the whole, so the page is the first rows of all arms together; and a row of two
 * arms is told by its id to be one.
 *
 * @throws ReadBackError
 */
export function readList(text: string, names: Names, parse: Parser): SqlExpression {
  const [statement, ...more] = parse(text)
  if (more.length > 0) return refuse('several statements in a list')
  const known = [
    'distinctClause',
    'targetList',
    'fromClause',
    'sortClause',
    'limitCount',
    'limitOption',
    'op'
  ]
  const select = fieldsOf(statement, 'SelectStmt', ...known)
  const shape = shapeOf(select)
  const [from, ...others] = listOf(select['fromClause'])
  if (others.length > 0) return refuse('a list over several queries')
  const { subquery } = fieldsOf(from, 'RangeSubselect', 'subquery', 'alias')
  const arms = armsOf(fieldsOf(subquery, 'SelectStmt', ...SELECT), names, shape)
  if (arms.length > 1) mustBeDistinct(select)
  return factored(arms)
}

const SELECT = [
  'targetList',
  'fromClause',
  'whereClause',
  'sortClause',
  'limitCount',
  'limitOption',
  'op',
  'all',
  'larg',
  'rarg'
]

/** The parts of each arm's condition. */
type Arm = readonly SqlExpression[]

function armsOf(select: Tree, names: Names, shape: Shape): readonly Arm[] {
  if (select['op'] === 'SETOP_UNION') {
    only(select, 'UNION', 'op', 'all', 'larg', 'rarg', 'limitOption')
    must(select, 'all', true)
    must(select, 'limitOption', 'LIMIT_OPTION_DEFAULT')
    const sides = [select['larg'], select['rarg']]
    return sides.flatMap(side => armsOf(only(treeOf(side, 'a UNION'), 'SelectStmt', ...SELECT), names, shape))
  }
  const [from, ...more] = listOf(select['fromClause'])
  const table = fieldsOf(from, 'RangeVar', 'schemaname', 'relname', 'inh', 'relpersistence')
  if (more.length > 0 || table['schemaname'] !== 'public' || table['relname'] !== names.table) {
    refuse('an arm over another table')
  }
  must(table, 'inh', true)
  // safety: an arm in another order, or of fewer rows, would leave out what belongs on the page
  if (structureOf(shapeOf(select)) !== structureOf(shape))
    refuse('an arm that is not of the shape of its list')
  return [readArm(select['whereClause'], names)]
}

/** The guarded part about the principal first, then what is asked of the row. */
function readArm(where: unknown, names: Names): Arm {
  const [kind, fields] = kindOf(where)
  const parts =
    kind === 'BoolExpr' && fields['boolop'] === 'AND_EXPR'
      ? listOf(only(fields, kind, 'boolop', 'args')['args'])
      : [where]
  return parts.map((part, i) =>
    // a CASE is read nowhere else, so nothing else can be taken for the guard
    i === 0 ? readGuard(part, names, null) : readExpression(part, names)
  )
}

function shapeOf(select: Tree): Shape {
  must(select, 'op', 'SETOP_NONE')
  must(select, 'limitOption', 'LIMIT_OPTION_COUNT')
  const columns = listOf(select['targetList']).map(node =>
    columnOf(fieldsOf(node, 'ResTarget', 'val')['val'])
  )
  return {
    columns: columns.join(),
    order: orderOf(select)
      .map(parts => parts.join(' '))
      .join(),
    limit: structureOf(fieldsOf(select['limitCount'], 'A_Const', 'ival')['ival'])
  }
}

function orderOf(select: Tree): readonly (readonly [column: string, direction: string])[] {
  return listOf(select['sortClause']).map(node => {
    const { node: column, ...how } = fieldsOf(node, 'SortBy', 'node', 'sortby_dir', 'sortby_nulls')
    must(how, 'sortby_nulls', 'SORTBY_NULLS_DEFAULT')
    return [columnOf(column), textOf(how['sortby_dir'])] as const
  })
}

/** safety: two rows that are the same by everything but the id are two rows. */
function mustBeDistinct(select: Tree): void {
  const distinct = listOf(select['distinctClause']).map(columnOf)
  const order = orderOf(select).map(([column]) => column)
  if (distinct.join() !== order.join() || order.at(-1) !== JSON.stringify('id'))
    refuse('a list that shows rows twice, or drops some')
}

function columnOf(node: unknown): string {
  const [name = '', ...more] = nameOf(fieldsOf(node, 'ColumnRef', 'fields')['fields'])
  return more.length > 0 ? refuse('a column of another table') : JSON.stringify(name)
}

/** What all arms demand, once: the related rows that keep such an answer are then counted once. */
function factored(arms: readonly Arm[]): SqlExpression {
  const keyed = arms.map(arm => new Map(arm.map(part => [structureOf(part), part])))
  const [first, ...rest] = keyed
  const common = [...(first ?? [])].filter(([key]) => rest.every(arm => arm.has(key)))
  const shared = new Set(common.map(([key]) => key))
  const own = keyed.map(
    (arm): SqlExpression => ({
      kind: 'and',
      of: [...arm].flatMap(([key, part]) => (shared.has(key) ? [] : [part]))
    })
  )
  return { kind: 'and', of: [...common.map(([, part]) => part), { kind: 'or', of: own }] }
}
