import type { ClientBase } from 'pg'
import { id } from '../backends/sql/fragment.js'
import { ROLES } from '../backends/sql/names.js'
import { type ContextKey, contextToken, newContextKey } from '../db/context-token.js'
import type { Bundle } from '../ir/model.js'
import { addKey } from '../migrate/keys.js'

/** Who works in the rest of a transaction, and as which role of a role flag. */
export interface Context {
  readonly user: string
  readonly tenant: string
  readonly role: string | null
}

/** A key for the contexts of one transaction, which ends with it; null where contexts are not signed. */
export async function keyForTests(client: ClientBase, bundle: Bundle): Promise<ContextKey | null> {
  if (bundle.context === 'plain') return null
  const key = newContextKey(`test-${process.pid}-${Date.now().toString(36)}`)
  await addKey(client, key)
  return key
}

/**
 * Makes the rest of a transaction that of a user in a tenant, under the login of applications or a role flag's role. The
 * session is a superuser's, so going back to it is a matter of the savepoint around it.
 */
export async function enterContext(
  client: ClientBase,
  key: ContextKey | null,
  { user, tenant, role }: Context
): Promise<void> {
  await client.query(`SET LOCAL ROLE ${id(ROLES.app)}`)
  if (key === null)
    await client.query('SELECT twinrule.set_tenant_context($1::uuid, $2::uuid)', [user, tenant])
  else {
    const token = contextToken(key, { userId: user, tenantId: tenant })
    await client.query('SELECT twinrule.set_tenant_context($1)', [token])
  }
  if (role !== null) await client.query(`SELECT twinrule.enter_role($1, 'twinrule test')`, [role])
}
