import './navigator.js'
import type { Pool } from 'pg'
import { createFactsReader } from '../../db/facts.js'
import { guardLogin } from '../../db/guard.js'
import { createPool } from '../../db/pool.js'
import { createJudgeApart } from '../../drift/apart.js'
import { createQuickCheck, type Findings } from '../../drift/quick.js'
import { DatabaseError } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import type { Lister } from '../../server/lister.js'
import { ownVersion } from '../version.js'
import type { FactsSource, FactsSourceOptions } from './facts-source.js'

/** The most cases that are compared for a policy whose text was changed: no request waits much longer for that. */
const MODELS_OF_SERVICE = 20_000
/** Findings that a refusal to start names. */
const SHOWN = 5

/**
 * Facts, and lists if they are wanted, from the server of `url`, whose logins are known to be safe. That its catalog is,
 * `checked` tells.
 */
export async function serverFacts(url: string, options: FactsSourceOptions): Promise<FactsSource> {
  const { bundle, config, io } = options
  const pool = createPool(url, {
    size: config.poolSize,
    statementTimeoutMs: config.factsTimeoutMs,
    onError: error => io.err(`an idle database connection broke: ${error.message}\n`)
  })
  try {
    // safety: nothing is answered on a login that could go around the policies, or on other policies
    await guardLogin(pool, bundle, {
      allowOldServer: config.allowOldServer,
      log: line => io.err(`${line}\n`)
    })
    const judge = createJudgeApart(bundle, { maxModels: MODELS_OF_SERVICE })
    const check = createQuickCheck(bundle, ownVersion(), judge)
    const look = () => check(pool)
    const { listDatabaseUrl } = config
    const lister =
      listDatabaseUrl === undefined ? undefined : await openLister(listDatabaseUrl, pool, options)
    const checked = look()
      .then(found => refuseDrift(pool, bundle, found))
      .catch(error => Promise.all([pool.end(), lister?.close()]).then(() => Promise.reject(error)))
    // it is awaited later, and may fail before
    checked.catch(() => {})
    return { facts: createFactsReader(pool), look, checked, ...(lister === undefined ? {} : { lister }) }
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** What plans lists is loaded only where they are wanted. */
async function openLister(url: string, facts: Pool, options: FactsSourceOptions): Promise<Lister> {
  return (await import('./server-lister.js')).serverLister(url, facts, options)
}

/** @throws DatabaseError TWR_DB_NOT_MIGRATED for policies of others, TWR_DB_DRIFT for everything else */
async function refuseDrift(pool: Pool, bundle: Bundle, { findings }: Findings): Promise<void> {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  // what compiles the policy to SQL is loaded here alone: it would be a third of a start
  const { guardPolicies } = await import('../../db/guard-policies.js')
  await guardPolicies(pool, bundle)
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
