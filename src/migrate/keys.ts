import type { ClientBase } from 'pg'
import { type ContextKey, paddedHalves } from '../db/context-token.js'
import { DatabaseError } from '../errors/errors.js'

/** A key of the database, without its secret. */
export interface KnownKey {
  readonly kid: string
  readonly createdAt: Date
  /** Since when no token of it counts, null while they do. */
  readonly retiredAt: Date | null
}

/** The keys whose tokens count or counted, oldest first. */
export async function listKeys(client: ClientBase): Promise<readonly KnownKey[]> {
  await mustBeSigned(client)
  const { rows } = await client.query<KnownKey>(
    `SELECT kid, created_at AS "createdAt", retired_at AS "retiredAt"
     FROM twinrule.context_keys WHERE purpose = 'token' ORDER BY created_at, kid`
  )
  return rows
}

/**
 * Makes tokens of a key count. The same key a second time changes nothing.
 *
 * @returns whether it is new
 * @throws DatabaseError TWR_DB_KEY when another key has this kid, or this one is retired
 */
export async function addKey(client: ClientBase, key: ContextKey): Promise<boolean> {
  await mustBeSigned(client)
  const { keyIn, keyOut } = paddedHalves(key)
  const { rowCount } = await client.query(
    `INSERT INTO twinrule.context_keys (kid, purpose, key_in, key_out) VALUES ($1, 'token', $2, $3) ON CONFLICT DO NOTHING`,
    [key.kid, keyIn, keyOut]
  )
  if (rowCount === 1) return true
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT purpose = 'token' AND key_in = $2 AND retired_at IS NULL AS same FROM twinrule.context_keys WHERE kid = $1`,
    [key.kid, keyIn]
  )
  if (rows[0]?.same === true) return false
  throw new DatabaseError('TWR_DB_KEY', `the database has another or a retired key called ${key.kid}`, {
    hint: 'choose another kid: `twinrule keys list` shows those that are taken'
  })
}

/** Puts a key in the place of the one of the same name, where nobody else can have that. */
export async function renewKey(client: ClientBase, key: ContextKey): Promise<void> {
  await client.query(`DELETE FROM twinrule.context_keys WHERE kid = $1 AND purpose = 'token'`, [key.kid])
  await addKey(client, key)
}

/**
 * Ends a key: from the next `set_tenant_context` on its tokens are refused. Transactions that began go on.
 *
 * @returns when it was retired
 * @throws DatabaseError TWR_DB_KEY when there is no such key
 */
export async function retireKey(client: ClientBase, kid: string): Promise<KnownKey> {
  await mustBeSigned(client)
  const { rows } = await client.query<KnownKey>(
    `UPDATE twinrule.context_keys SET retired_at = COALESCE(retired_at, now()) WHERE kid = $1 AND purpose = 'token'
     RETURNING kid, created_at AS "createdAt", retired_at AS "retiredAt"`,
    [kid]
  )
  const [key] = rows
  if (key !== undefined) return key
  throw new DatabaseError('TWR_DB_KEY', `the database has no key called ${kid}`, {
    hint: '`twinrule keys list` shows those that it has'
  })
}

async function mustBeSigned(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('twinrule.context_keys') IS NOT NULL AS there`
  )
  if (rows[0]?.there === true) return
  throw new DatabaseError('TWR_DB_KEY', 'this database has no signed contexts', {
    hint: 'run `twinrule migrate` with a policy that does not say `context: plain`'
  })
}
