import type { Pool } from 'pg'
import { LeakError } from '../errors/errors.js'
import { type Alone, askAlone } from './alone.js'
import { httpTarget } from './http-target.js'
import { type Findings, interleave, type Plan } from './interleave.js'
import { moduleTarget } from './module-target.js'
import type { LeakFile, Request, Target } from './request.js'
import { poolOf, sqlTarget } from './sql-target.js'

/** How to check. */
export interface LeakOptions extends Plan {
  /** The database of the requests that are SQL, as the application's login, behind its pooler. */
  readonly database?: string
  /** Connections of the pool; fewer than clients, so that they are shared. */
  readonly connections: number
  readonly onAlone?: (alone: readonly Alone[]) => void
}

/**
 * Asks requests of several tenants at the same time, disturbs some in their middle, and compares each answer with what
 * its tenant gets alone.
 *
 * @throws LeakError TWR_LEAK_TARGET, TWR_LEAK_BLIND
 */
export async function leakcheck({ tenants, requests }: LeakFile, options: LeakOptions): Promise<Findings> {
  const pool = requests.some(({ kind }) => kind === 'sql') ? openPool(options) : null
  try {
    const alone: Alone[] = []
    for (const request of requests) alone.push(await askAlone(await targetOf(request, pool), tenants))
    options.onAlone?.(alone)
    return await interleave(alone, tenants, options)
  } finally {
    await pool?.end()
  }
}

function openPool({ database, connections }: LeakOptions): Pool {
  if (database !== undefined) return poolOf(database, connections)
  throw new LeakError('TWR_LEAK_TARGET', 'a request is SQL, and there is no database to send it to', {
    hint: '--database or DATABASE_URL: the login of your application, through its pooler if it has one'
  })
}

async function targetOf(request: Request, pool: Pool | null): Promise<Target> {
  switch (request.kind) {
    case 'sql':
      return sqlTarget(request, pool as Pool)
    case 'http':
      return httpTarget(request)
    case 'module':
      return moduleTarget(request)
  }
}
