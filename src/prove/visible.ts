import type { Relation } from '../ir/formula.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { TableSecurity } from './read-back.js'
import { mapOperands, replaced, type SqlExpression, type SqlOperand } from './sql-expression.js'
import { gateOf } from './table-security.js'

/** An expression as a role sees it; null where that makes no difference. */
export type Seen = (expression: SqlExpression, role: string) => SqlExpression | null

/**
 * How the roles see subqueries of a resource: PostgreSQL applies the policies of the other table, for the role that
 * asks, to the rows of a subquery. A plain table has none here, and all of its rows are seen. The expression is proved
 * without that too: it must not depend on the other table's policies to be right.
 *
 * @param securityOf the security of another resource's table, as its own SQL says
 */
export function seenBy(
  bundle: Bundle,
  resource: Resource,
  securityOf: (resource: Resource) => TableSecurity | null
): Seen {
  const securities = new Map(
    resource.relations.flatMap(relation => {
      const other = bundle.resources.find(({ table }) => table !== null && table === relation.table)
      const security = other === undefined ? null : securityOf(other)
      return security === null ? [] : [[relation, security] as const]
    })
  )
  return (expression, role) => {
    let isNarrower = false
    const seen = replaced(expression, one => {
      const security = one.kind === 'exists' ? securities.get(one.relation) : undefined
      if (one.kind !== 'exists' || security === undefined) return one
      isNarrower = true
      const visible = mapOperands(gateOf(security, 'read', role), operand => ofRelated(operand, one.relation))
      return { ...one, of: { kind: 'and', of: [visible, one.of] } }
    })
    return isNarrower ? seen : null
  }
}

/** A column of the other table's own policy is one of the related row. */
function ofRelated(operand: SqlOperand, relation: Relation): SqlOperand {
  return operand.kind === 'column' ? { ...operand, kind: 'related', relation } : operand
}
