import type { SqlObject } from '../backends/sql/object.js'

/** A generated object as it is, or as an earlier migration has written it down. */
export type PlanObject = Pick<SqlObject, 'kind' | 'name' | 'table' | 'applies' | 'revokes'> & {
  readonly up: string
  readonly down: string
}

/** The objects of a policy for a plan. */
export function planObjects(objects: readonly SqlObject[]): readonly PlanObject[] {
  return objects.map(({ kind, name, table, applies, revokes, up, down }) => ({
    kind,
    name,
    table,
    ...(applies === undefined ? {} : { applies }),
    ...(revokes === undefined ? {} : { revokes }),
    up: String(up),
    down: String(down)
  }))
}
