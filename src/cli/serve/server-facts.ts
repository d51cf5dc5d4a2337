import { createFactsReader } from '../../db/facts.js'
import { guardDatabase } from '../../db/guard.js'
import { createPool } from '../../db/pool.js'
import { createDriftCheck } from '../../drift/check.js'
import type { DriftReport } from '../../drift/finding.js'
import { DatabaseError } from '../../errors/errors.js'
import type { FactsSource, FactsSourceOptions } from './facts-source.js'

/** The most cases that are compared for a policy whose text was changed: no request waits much longer for that. */
const MODELS_OF_SERVICE = 20_000
/** Findings that a refusal to start names. */
const SHOWN = 5

/** Facts from the server of `url`, once it is known to be safe. */
export async function serverFacts(
  url: string,
  { bundle, config, io }: FactsSourceOptions
): Promise<FactsSource> {
  const pool = createPool(url, {
    size: config.poolSize,
    statementTimeoutMs: config.factsTimeoutMs,
    onError: error => io.err(`an idle database connection broke: ${error.message}\n`)
  })
  try {
    // safety: nothing is answered on a login that could go around the policies, or on other policies
    await guardDatabase(pool, bundle, {
      allowOldServer: config.allowOldServer,
      log: line => io.err(`${line}\n`)
    })
    const check = createDriftCheck(bundle, { maxModels: MODELS_OF_SERVICE })
    const look = () => check(pool)
    refuseDrift(await look())
    return { facts: createFactsReader(pool), look }
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** @throws DatabaseError TWR_DB_DRIFT */
function refuseDrift({ findings }: DriftReport): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const first = errors.slice(0, SHOWN).map(({ message }) => message)
  const more = errors.length > SHOWN ? [`and ${errors.length - SHOWN} more`] : []
  throw new DatabaseError(
    'TWR_DB_DRIFT',
    `the database is not what its last migration left: ${[...first, ...more].join('; ')}`,
    {
      hint: '`twinrule drift --database URL` shows all of it, and `twinrule migrate --database URL` as a superuser puts it back'
    }
  )
}
