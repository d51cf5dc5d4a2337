import type pg from 'pg'
import { withClient } from '../db/client.js'
import { DatabaseError, TestError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'

/**
 * Runs some work as the superuser of a database that holds the policies.
 *
 * @throws DatabaseError when it cannot be reached or holds other policies; TestError when the login is no superuser
 */
export async function withDatabase<T>(
  url: string,
  bundle: Bundle,
  work: (client: pg.Client) => Promise<T>
): Promise<T> {
  return withClient(url, 'twinrule test', async client => {
    await refuseUnfit(client, bundle)
    return work(client)
  })
}

async function refuseUnfit(client: pg.Client, { revision }: Bundle): Promise<void> {
  const { rows } = await client.query<{ superuser: boolean; login: string; migrated: boolean }>(
    `SELECT rolsuper AS superuser, rolname AS login, to_regclass('twinrule.state') IS NOT NULL AS migrated
     FROM pg_roles WHERE rolname = current_user`
  )
  const [at] = rows
  if (at?.superuser !== true) {
    const hint =
      'rows behind forced row-level security and roles to enter need one; everything is rolled back'
    throw new TestError('TWR_TEST_FIXTURE', `the login ${at?.login} is no superuser`, { hint })
  }
  const state = at.migrated
    ? await client.query<{ revision: string }>('SELECT revision FROM twinrule.state')
    : { rows: [] }
  const installed = state.rows[0]?.revision
  if (installed === revision) return
  const has = installed === undefined ? 'no policies' : `revision ${installed.slice(0, 12)}`
  throw new DatabaseError('TWR_DB_NOT_MIGRATED', `the database has ${has}, not ${revision.slice(0, 12)}`, {
    hint: 'run `twinrule migrate` with the policies that are tested'
  })
}
