import { type CaslTemplate, caslTemplates } from '../backends/casl.js'
import { accessMigration, accessObjects } from '../backends/sql/access.js'
import type { SqlObject } from '../backends/sql/object.js'
import type { Bundle } from '../ir/model.js'

/** A bundle in the forms that enforce it. */
export interface Compiled {
  /** The migration: up and down, the same bytes for the same policy. */
  sql(): string
  /** The generated database objects one by one, in the order in which they are applied. */
  sqlObjects(): readonly SqlObject[]
  /** The portable CASL rules with placeholders for the principal. */
  casl(): readonly CaslTemplate[]
}

/** Compiles a bundle into SQL and CASL rules. Pure. */
export function compile(bundle: Bundle): Compiled {
  return {
    sql: () => accessMigration(bundle),
    sqlObjects: () => accessObjects(bundle),
    casl: () => caslTemplates(bundle)
  }
}
