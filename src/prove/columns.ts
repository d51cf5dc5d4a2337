import { comparisonsOf } from '../analysis/comparisons.js'
import { domainsOf } from '../analysis/domain.js'
import { spaceOf } from '../analysis/models.js'
import { besideOf } from '../analysis/related.js'
import { anyValue } from '../analysis/sorts.js'
import { columnJudge } from '../engine/columns.js'
import type { Values } from '../ir/evaluate.js'
import { columnBar } from '../ir/gates.js'
import type { Column, Resource } from '../ir/model.js'
import { normalize } from '../ir/normal-form.js'
import { CHANGES, changesIn, isKnown, ofKnown, permission } from './changes.js'
import type { Counterexample } from './counterexample.js'
import { type Models, relatedRowsOf } from './gate.js'
import { inRole } from './guard-permits.js'
import { listsFor } from './lists.js'
import type { Subject } from './plan.js'
import { database, expressionsOf, madeFor, type RoleExpression, type Side } from './sides.js'
import { signaturesOfParts } from './signatures.js'
import { type SqlExpression, sqlComparisons } from './sql-expression.js'
import type { DatabaseRole } from './table-security.js'
import type { Seen } from './visible.js'

/** The question which columns an update may change, and who answers it. */
export interface ColumnsPlan {
  readonly models: Models
  readonly sides: readonly Side[]
}

/** The models of the question which columns an update may change; null where nothing bars any change. */
export function columnsPlan(subject: Subject, report: (finding: string) => void): ColumnsPlan | null {
  const { bundle, roles, permitted, seen } = subject
  const { immutable, columnRules } = subject.resource
  const triggered = permitted !== null && (permitted.kind !== 'and' || permitted.of.length > 0)
  if (immutable.length + columnRules.length === 0 && !triggered) return null
  const resource: Resource = { ...subject.resource, relations: [...subject.resource.relations, CHANGES] }
  const condition = permission(resource)
  const inRoles = permitted === null ? [] : roles.map(role => expressionIn(role, permitted, seen))
  const sql = inRoles.flatMap(expressionsOf)
  const domains = domainsOf(resource, [...comparisonsOf(condition), ...sql.flatMap(sqlComparisons)])
  const space = spaceOf(domains, listsFor(condition, sql, { plain: [], inverted: [] }))
  const question = { bundle, resource, report }
  const forms = columnRules.map(({ when }) => normalize(when))
  const signature = signaturesOfParts(resource.relations, { conditions: [condition], forms, sql })
  const beside = besideOf(space, { empty: relatedRowsOf(question), signature })
  return {
    models: { question, defined: reference(resource), space, beside },
    sides: [
      compiled(subject.resource),
      ...inRoles.flatMap(one => database(one, madeFor({ domains }, one.role, roles)))
    ]
  }
}

/** What the triggers of a table permit in a role. */
function expressionIn(role: DatabaseRole, permitted: SqlExpression, seen: Seen): RoleExpression {
  const expression = ofKnown(inRole(permitted, role.role))
  return { role, expression, asSeen: seen(expression, role.role) }
}

/** The definition: nothing bars the changes that the row carries. */
function reference(resource: Resource): Models['defined'] {
  return (principal, now) => row => {
    const at = now === null ? { principal, row } : { principal, row, now }
    return isKnown(principal) && columnBar(resource, changesIn(row), at) === null
  }
}

/** The engine, which sees the changes as a difference of two rows. */
function compiled(resource: Resource): Side {
  const guarded = new Set([...resource.immutable, ...resource.columnRules.flatMap(({ columns }) => columns)])
  const columns = resource.columns.filter(({ name }) => guarded.has(name))
  const judge = columnJudge({ ...resource, columns })
  return {
    name: 'compiled',
    mustEqual: () => true,
    opensFor: (principal, now) => row => {
      const changes = changesIn(row)
      // the row tells when somebody reads a column without a value, which is what comparing whole rows does
      const old = Object.assign(Object.create(row), valuesOf(columns, row))
      const next = Object.fromEntries(
        columns.map(column => [
          column.name,
          changes.includes(column.name) ? other(column, old) : old[column.name]
        ])
      )
      return isKnown(principal) && judge(principal, old, next, now) === null
    }
  }
}

function valuesOf(columns: readonly Column[], row: Values): Values {
  return Object.fromEntries(
    columns.map(({ name }) => [name, Object.hasOwn(row, name) ? (row[name] ?? null) : null])
  )
}

/** Another value than a column has. */
function other({ name, type }: Column, row: Values): Values[string] {
  return row[name] === null ? anyValue(type, false) : null
}

/** A counterexample of this question, with the changes in a place of their own. */
export function withChanges({ row, ...rest }: Counterexample): Counterexample {
  const { [CHANGES.name]: changes, ...columns } = row
  const changed = (changes as readonly { readonly name: string }[]).map(({ name }) => name)
  return { ...rest, row: columns, changed }
}
