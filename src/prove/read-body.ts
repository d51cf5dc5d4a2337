import type { Parser } from './read-back.js'
import { type GuardNames, readGuardCondition } from './read-guard-condition.js'
import type { SqlExpression } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** What a trigger function does when a condition is true: it forbids the change, or lets it be. */
export interface Step {
  readonly if: SqlExpression
  readonly does: 'raise' | 'return'
}

/** The level of an exception (utils/elog.h). Lower ones only tell. */
const ERROR = 21
/** The options of RAISE (plpgsql.h). */
const OPTIONS: Readonly<Record<string, string>> = { 0: 'ERRCODE', 1: 'MESSAGE' }
/** The SQLSTATE of a denial, as policies have it. */
const DENIED = 'insufficient_privilege'

/**
 * The body of a trigger function: IFs that raise or return, then RETURN NULL, and nothing else.
 *
 * @throws ReadBackError
 */
export function readBody(tree: unknown, names: GuardNames, parse: Parser): readonly Step[] {
  const fields = fieldsOf(tree, 'PLpgSQL_function', 'new_varno', 'old_varno', 'datums', 'action')
  for (const datum of listOf(fields['datums'])) mustBeGiven(datum)
  const { body } = fieldsOf(fields['action'], 'PLpgSQL_stmt_block', 'lineno', 'body')
  const statements = listOf(body)
  const last = statements.at(-1)
  mustReturn(last, parse)
  return statements.slice(0, -1).map(statement => readStep(statement, names, parse))
}

/** safety: a variable of its own could be called like a column */
function mustBeGiven(datum: unknown): void {
  const [kind, fields] = kindOf(datum)
  const name = textOf(fields['refname'])
  const given =
    kind === 'PLpgSQL_recfield' ||
    (kind === 'PLpgSQL_rec' && (name === 'new' || name === 'old')) ||
    (kind === 'PLpgSQL_var' && (name === 'found' || name.startsWith('tg_')) && fields['lineno'] === undefined)
  if (!given) refuse(`the variable ${name}`)
}

function readStep(statement: unknown, names: GuardNames, parse: Parser): Step {
  const { cond, then_body: inside } = fieldsOf(statement, 'PLpgSQL_stmt_if', 'lineno', 'cond', 'then_body')
  const [then, ...more] = listOf(inside)
  if (more.length > 0) return refuse('an IF with several statements')
  const condition = readGuardCondition(expressionIn(cond, parse), names)
  if (kindOf(then)[0] === 'PLpgSQL_stmt_return') {
    mustReturn(then, parse)
    return { if: condition, does: 'return' }
  }
  mustDeny(then, parse)
  return { if: condition, does: 'raise' }
}

/** `RETURN NULL`: what an AFTER trigger returns is ignored. */
function mustReturn(statement: unknown, parse: Parser): void {
  const { expr } = fieldsOf(statement, 'PLpgSQL_stmt_return', 'lineno', 'expr')
  const value = fieldsOf(expressionIn(expr, parse), 'A_Const', 'isnull')
  must(value, 'isnull', true)
}

/** `RAISE EXCEPTION` with the code of a denial and a message. */
function mustDeny(statement: unknown, parse: Parser): void {
  const fields = fieldsOf(statement, 'PLpgSQL_stmt_raise', 'lineno', 'elog_level', 'options')
  must(fields, 'elog_level', ERROR)
  const options = new Map(
    listOf(fields['options']).map(node => {
      const { opt_type: type, expr } = fieldsOf(node, 'PLpgSQL_raise_option', 'opt_type', 'expr')
      const constant = fieldsOf(expressionIn(expr, parse), 'A_Const', 'sval')
      const name = OPTIONS[Number(type ?? 0)] ?? refuse(`RAISE with the option ${String(type)}`)
      return [name, textOf(treeOf(constant['sval'], 'a text')['sval'])] as const
    })
  )
  if (options.get('ERRCODE') !== DENIED) refuse('RAISE with another code than that of a denial')
}

/** An expression of PL/pgSQL is what could stand after SELECT. */
function expressionIn(node: unknown, parse: Parser): unknown {
  const fields: Tree = fieldsOf(node, 'PLpgSQL_expr', 'query', 'parseMode')
  const [statement, ...more] = parse(`SELECT ${textOf(fields['query'])}`)
  if (more.length > 0) return refuse('several statements in place of an expression')
  const select = only(kindOf(statement)[1], 'SelectStmt', 'targetList', 'limitOption', 'op')
  must(select, 'limitOption', 'LIMIT_OPTION_DEFAULT')
  must(select, 'op', 'SETOP_NONE')
  const [target, ...others] = listOf(select['targetList'])
  if (others.length > 0) return refuse('several values in place of one')
  return fieldsOf(target, 'ResTarget', 'val')['val']
}
