import { compilePredicate, type Now } from '../backends/compiled.js'
import type { Values } from '../ir/evaluate.js'
import { changedColumns, immutableReason } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import { normalize } from '../ir/normal-form.js'
import type { Refusal } from './attributes.js'

/** Judges the columns that an update changes; null when it may change them all. */
export type ColumnJudge = (principal: Values, old: Values, next: Values, now: Now) => Refusal | null

/** Compiles the immutable columns and the column rules of a resource. Rules are asked of the row as it was. */
export function columnJudge(resource: Resource): ColumnJudge {
  const rules = resource.columnRules.map(({ columns, when }) => {
    return { columns, permits: compilePredicate(normalize(when)) }
  })
  return (principal, old, next, now) => {
    const changed = changedColumns(resource, old, next)
    const fixed = changed.find(column => resource.immutable.includes(column))
    if (fixed !== undefined) return { code: 'immutable_column', reason: immutableReason(resource, fixed) }
    for (const { columns, permits } of rules) {
      const column = changed.find(one => columns.includes(one))
      if (column === undefined || permits(principal, old, now)) continue
      return {
        code: 'column_rule',
        reason: `a column rule of ${resource.name} keeps ${column} from being changed`
      }
    }
    return null
  }
}
