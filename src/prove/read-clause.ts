import type { Names } from './names.js'
import { readExpression } from './read-expression.js'
import { accessorName, readConstant } from './read-operand.js'
import type { SqlExpression } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, only, refuse } from './tree.js'

/**
 * A USING or WITH CHECK: the guard, alone or after the half that only narrows. In the guard the principal is what was
 * verified, in the other half what the settings claim; neither may hold the other's functions.
 *
 * @throws ReadBackError
 */
export function readClause(node: unknown, names: Names): SqlExpression {
  const [kind, fields] = kindOf(node)
  if (kind !== 'BoolExpr') return readGuard(node, names, null)
  must(fields, 'boolop', 'AND_EXPR')
  const parts = listOf(only(fields, kind, 'boolop', 'args')['args'])
  const claimed: Names = { ...names, accessors: new Map() }
  const open = parts.slice(0, -1).map(part => readExpression(part, claimed))
  const [only1, ...more] = open
  if (only1 === undefined) return refuse('an AND of one part')
  return readGuard(parts.at(-1), names, more.length === 0 ? only1 : { kind: 'and', of: open })
}

/** `CASE WHEN (SELECT user) IS NULL THEN false WHEN ... THEN true ELSE false END`, and nothing else. */
export function readGuard(node: unknown, names: Names, open: SqlExpression | null): SqlExpression {
  const { args, defresult } = fieldsOf(node, 'CaseExpr', 'args', 'defresult')
  const [nobody, allowed, ...more] = listOf(args).map(one => fieldsOf(one, 'CaseWhen', 'expr', 'result'))
  if (nobody === undefined || allowed === undefined || more.length > 0) return refuse('a CASE of other arms')
  mustBe(nobody['result'], false)
  mustBe(allowed['result'], true)
  mustBe(defresult, false)
  const { arg, nulltesttype } = fieldsOf(nobody['expr'], 'NullTest', 'arg', 'nulltesttype')
  if (nulltesttype !== 'IS_NULL' || accessorName(arg) !== names.verified) {
    return refuse('a guard that does not ask first whether there is a user')
  }
  return { kind: 'guarded', open, of: readExpression(allowed['expr'], { ...names, claims: new Map() }) }
}

function mustBe(node: unknown, value: boolean): void {
  if (readConstant(fieldsOf(node, 'A_Const', 'boolval')) !== value) refuse('a CASE with other results')
}
