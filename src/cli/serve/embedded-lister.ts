import type { Pool } from 'pg'
import { ROLES } from '../../backends/sql/names.js'
import { contextCall } from '../../client/tenant-pool.js'
import { NotMemberError } from '../../client/transaction.js'
import type { ContextKey } from '../../db/context-token.js'
import { databaseFault } from '../../db/fault.js'
import { listResources } from '../../db/list.js'
import type { Bundle } from '../../ir/model.js'
import type { Lister } from '../../server/lister.js'

/**
 * Lists from an embedded database. It has one connection, which is the service's login: a list borrows it, as the
 * login of applications until the transaction ends.
 *
 * @param key null for a policy with `context: plain`
 */
export function embeddedLister(pool: Pool, bundle: Bundle, key: ContextKey | null): Lister {
  return {
    async list(principal, query) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        // safety: the policies are for this login, and its own ends with the transaction
        await client.query(`SET LOCAL SESSION AUTHORIZATION ${ROLES.app}`)
        const { call, values } = contextCall(key, principal)
        const { rows } = await client.query<{ isMember: boolean }>(`SELECT ${call} AS "isMember"`, [
          ...values
        ])
        if (rows[0]?.isMember !== true) throw new NotMemberError()
        return await listResources(client, bundle, query)
      } catch (cause) {
        throw databaseFault(cause)
      } finally {
        // safety: a connection whose ROLLBACK fails may still be of the other login
        await client.query('ROLLBACK').then(
          () => client.release(),
          () => client.release(true)
        )
      }
    },
    // the pool is that of the facts, which close it
    async close() {}
  }
}
