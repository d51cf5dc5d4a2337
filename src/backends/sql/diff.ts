import { objectKey, type SqlObject } from './object.js'

/** One generated object that two policies disagree on. The texts are SQL; null where the object does not exist. */
export interface SqlChange {
  readonly kind: SqlObject['kind']
  readonly name: string
  /** The table that the object belongs to, null for what serves all tables. */
  readonly table: string | null
  /** It repeats the rules of a table in another shape, so its text is not worth a review. */
  readonly derived: boolean
  readonly change: 'added' | 'removed' | 'changed'
  readonly before: string | null
  readonly after: string | null
}

/**
 * What differs between the generated objects of two policies, by table and last what serves all tables, each in the
 * order in which it is generated.
 *
 * The recorded revision is left out: it changes with the name of a rule, which the database never sees.
 */
export function diffObjects(base: readonly SqlObject[], head: readonly SqlObject[]): readonly SqlChange[] {
  const before = byKey(base)
  const after = byKey(head)
  const changes = [...new Set([...after.keys(), ...before.keys()])].flatMap(key =>
    changeOf(before.get(key), after.get(key))
  )
  return changes.sort((a, b) => compareTables(a.table, b.table))
}

function byKey(objects: readonly SqlObject[]): Map<string, SqlObject> {
  const reviewed = objects.filter(({ kind }) => kind !== 'state')
  return new Map(reviewed.map(object => [objectKey(object), object]))
}

function changeOf(base: SqlObject | undefined, head: SqlObject | undefined): SqlChange[] {
  const object = head ?? base
  const before = base === undefined ? null : String(base.up)
  const after = head === undefined ? null : String(head.up)
  if (object === undefined || before === after) return []
  const change = before === null ? 'added' : after === null ? 'removed' : 'changed'
  const { kind, name, table, derived = false } = object
  return [{ kind, name, table, derived, change, before, after }]
}

function compareTables(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? 1 : -1
  return a < b ? -1 : 1
}
