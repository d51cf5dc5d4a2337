import type { Fragment } from './fragment.js'

/**
 * One generated database object, the unit of the migration, of a review and of drift.
 *
 * `up` brings the object to its target state from any state, any number of times; `down` removes it and is fine when
 * it is not there. `table` is the resource table that the object belongs to, null for what serves all of them.
 * `derived` objects repeat a table's rules in another shape (helper functions): a review shows their names alone.
 */
export interface SqlObject {
  readonly kind: 'role' | 'schema' | 'function' | 'rls' | 'policy' | 'trigger' | 'grant' | 'state'
  readonly name: string
  readonly table: string | null
  readonly derived?: boolean
  /**
   * `always`: part of every migration, whatever has changed, such as a check. `whole`: needed only where everything is
   * applied. Without it an object is applied when it has changed.
   */
  readonly applies?: 'always' | 'whole'
  /** Tables whose grants it takes back, so that they are given again after it; of a grant, its own table's anyway. */
  readonly revokes?: readonly string[]
  readonly up: Fragment
  readonly down: Fragment
}

/** What an object is called among all others: kinds have separate names, and so have the objects of a table. */
export function objectKey({
  kind,
  table,
  name
}: {
  kind: string
  table: string | null
  name: string
}): string {
  return JSON.stringify([kind, table, name])
}
