import type { Values } from '../ir/evaluate.js'
import type { Condition, Relation, Term } from '../ir/formula.js'
import { KNOWN_PRINCIPAL } from '../ir/gates.js'
import type { Resource } from '../ir/model.js'
import type { SqlExpression } from './sql-expression.js'

const TEXT = { kind: 'text' } as const

/**
 * The columns that an update changes, as if they were rows related to the old row: "one of these columns changes" is a
 * statement "some such row is there". So the argument by which short lists of related rows are enough goes for them too.
 */
export const CHANGES: Relation = {
  // a name that no relation has
  name: 'changed columns',
  cardinality: 'many',
  table: null,
  local: '',
  remote: 'name',
  columns: [{ name: 'name', type: TEXT, nullable: false }],
  readable: null
}

const NAME: Term = { kind: 'related', name: 'name', type: TEXT }

/** The names in the list of changes that a row carries. */
export function changesIn(row: Values): readonly string[] {
  const list = row[CHANGES.name]
  return Array.isArray(list) ? list.map(({ name }) => String(name)) : []
}

/** One of some columns changes. */
function changed(columns: readonly string[]): Condition {
  const set: Term = { kind: 'list', values: [...columns], type: { kind: 'set', of: TEXT } }
  return { kind: 'exists', relation: CHANGES, of: { kind: 'atom', atom: { kind: 'in', item: NAME, set } } }
}

/** The same in SQL: `OLD.column IS DISTINCT FROM NEW.column`. */
export function distinct(column: string): SqlExpression {
  const left = { kind: 'related', name: 'name', type: TEXT, relation: CHANGES } as const
  const right = { kind: 'literal', value: column, type: TEXT } as const
  return { kind: 'exists', relation: CHANGES, of: { kind: 'compare', operator: '=', left, right } }
}

/** The column of `distinct`; null for any other expression. */
export function distinctColumn(expression: SqlExpression): string | null {
  if (expression.kind !== 'exists' || expression.relation !== CHANGES) return null
  const { of } = expression
  return of.kind === 'compare' && of.right.kind === 'literal' ? String(of.right.value) : null
}

/**
 * What `columnBar` reads, joined to one condition that is definitely true exactly when nothing bars the changes. Of a
 * principal that is known: nobody else comes as far as to change a column.
 */
export function permission({ immutable, columnRules }: Resource): Condition {
  const fixed: readonly Condition[] = immutable.length === 0 ? [] : [{ kind: 'not', of: changed(immutable) }]
  const ruled = columnRules.map(
    ({ columns, when }): Condition => ({ kind: 'or', of: [{ kind: 'not', of: changed(columns) }, when] })
  )
  return { kind: 'and', of: [KNOWN_PRINCIPAL, ...fixed, ...ruled] }
}

/** Whether there is anybody who changes something. */
export function isKnown(principal: Values): boolean {
  return (principal['id'] ?? null) !== null
}

/** The same in SQL, where the policies have seen to it before a trigger runs. */
export function ofKnown(expression: SqlExpression): SqlExpression {
  const id = { kind: 'principal', name: 'id', type: { kind: 'uuid' } } as const
  return { kind: 'and', of: [{ kind: 'null', of: id, negated: true }, expression] }
}
