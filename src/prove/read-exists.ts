import { acrossRows } from '../analysis/comparisons.js'
import type { Relation } from '../ir/formula.js'
import type { Names } from './names.js'
import { RELATED } from './read-operand.js'
import { type SqlExpression, sqlComparisons } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

type Read = (node: unknown, names: Names) => SqlExpression

/**
 * `EXISTS (SELECT FROM public."t" AS twinrule_related WHERE twinrule_related."remote" = "table"."local" AND ...)`, with
 * nothing else in the subquery. The join is the first part of the WHERE: it makes the rows those of the relation.
 *
 * @param readPart reads what stands beside the join
 * @throws ReadBackError
 */
export function readExists(fields: Tree, names: Names, readPart: Read): SqlExpression {
  if (names.related !== null) return refuse('a subquery in a subquery')
  const select = fieldsOf(fields['subselect'], 'SelectStmt', 'fromClause', 'whereClause', 'limitOption', 'op')
  must(select, 'limitOption', 'LIMIT_OPTION_DEFAULT')
  must(select, 'op', 'SETOP_NONE')
  const table = readFrom(select['fromClause'])
  const [join, ...beside] = conjuncts(select['whereClause'])
  const relation = relationOf(table, readJoin(join), names)
  const parts = beside.map(part => readPart(part, { ...names, related: relation }))
  const [first = { kind: 'const', value: true } as const, ...more] = parts
  const of: SqlExpression = more.length === 0 ? first : { kind: 'and', of: parts }
  // safety: models choose the row and its related rows apart from each other
  if (sqlComparisons(of).some(acrossRows)) return refuse('a comparison of a row with a related row')
  return { kind: 'exists', relation, of }
}

function readFrom(clause: unknown): string {
  const [from, ...more] = listOf(clause)
  if (more.length > 0) return refuse('a subquery over several tables')
  const known = ['schemaname', 'relname', 'inh', 'relpersistence', 'alias']
  const table = fieldsOf(from, 'RangeVar', ...known)
  must(table, 'schemaname', 'public')
  must(table, 'inh', true)
  const alias = only(treeOf(table['alias'], 'an alias'), 'Alias', 'aliasname')
  must(alias, 'aliasname', RELATED)
  return textOf(table['relname'])
}

/** What the WHERE demands, the parts of one AND. */
function conjuncts(where: unknown): readonly unknown[] {
  if (where === undefined) return refuse('a subquery without a join')
  const [kind, fields] = kindOf(where)
  return kind === 'BoolExpr' && fields['boolop'] === 'AND_EXPR'
    ? listOf(only(fields, kind, 'boolop', 'args')['args'])
    : [where]
}

interface Join {
  readonly remote: string
  readonly table: string
  readonly local: string
}

function readJoin(node: unknown): Join {
  const equality = fieldsOf(node, 'A_Expr', 'kind', 'name', 'lexpr', 'rexpr')
  must(equality, 'kind', 'AEXPR_OP')
  if (nameOf(equality['name']).join('.') !== '=') return refuse('a join that is no equality')
  const [related, remote = '', ...more] = nameOf(fieldsOf(equality['lexpr'], 'ColumnRef', 'fields')['fields'])
  const [table = '', local = '', ...rest] = nameOf(
    fieldsOf(equality['rexpr'], 'ColumnRef', 'fields')['fields']
  )
  if (related !== RELATED || more.length + rest.length > 0) return refuse('a join of other rows')
  return { remote, table, local }
}

/** The relation with exactly this table and this join. */
function relationOf(table: string, join: Join, names: Names): Relation {
  if (join.table !== (names.own ?? names.table) || names.table === RELATED)
    return refuse(`a join with ${join.table}`)
  const [relation, ...more] = names.relations.filter(
    one => one.table === table && one.remote === join.remote && one.local === join.local
  )
  if (relation === undefined) return refuse(`a subquery over ${table} that is no relation`)
  // two relations to the same rows would be two lists in a model and one list here
  return more.length === 0 ? relation : refuse(`a subquery over ${table} for more than one relation`)
}
