import type { ClientBase } from 'pg'
import { forgetVerified, type Verifier, writeVerified } from '../db/catalog/verified.js'
import type { Bundle } from '../ir/model.js'
import { createJudge } from './check.js'
import type { DriftReport } from './finding.js'
import { lookAt } from './look.js'

/**
 * Looks completely at a database that has just been migrated. When there is no drift, not even a warning, its
 * fingerprint is written down for the starts of the service; else what was written down is deleted. Needs a superuser.
 *
 * safety: what is written down is the fingerprint of just what was compared, from the same statements
 */
export async function verifyDatabase(
  client: ClientBase,
  bundle: Bundle,
  { version }: Pick<Verifier, 'version'>
): Promise<DriftReport> {
  // a migration leaves no policy of another text, so there are no cases to compare
  const { report, print } = await lookAt(client, bundle, createJudge(bundle, { maxModels: 0 }))
  if (report.findings.length > 0) await forgetVerified(client)
  else await writeVerified(client, print, { revision: bundle.revision, version })
  return report
}
