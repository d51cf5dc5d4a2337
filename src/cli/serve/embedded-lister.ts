import type { ClientBase, Pool } from 'pg'
import { ROLES } from '../../backends/sql/names.js'
import { NotMemberError } from '../../client/transaction.js'
import { type ContextKey, type ContextPrincipal, contextToken } from '../../db/context-token.js'
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
        if (!(await openContext(client, principal, key))) throw new NotMemberError()
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

async function openContext(
  client: ClientBase,
  { userId, tenantId }: ContextPrincipal,
  key: ContextKey | null
): Promise<boolean> {
  const values = key === null ? [userId, tenantId] : [contextToken(key, { userId, tenantId })]
  const { rows } = await client.query<{ valid: boolean }>(
    `SELECT twinrule.set_tenant_context($1${key === null ? ', $2' : ''}) AS valid`,
    values
  )
  return rows[0]?.valid === true
}
