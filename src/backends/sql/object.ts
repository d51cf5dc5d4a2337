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
  readonly up: Fragment
  readonly down: Fragment
}
