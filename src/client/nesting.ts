import { AsyncLocalStorage } from 'node:async_hooks'
import type pg from 'pg'
import { DatabaseError } from '../errors/errors.js'

/** A transaction of a tenant in which the code that runs now was started. */
interface Surrounding {
  readonly pool: pg.Pool
  readonly outer: Surrounding | undefined
  isOpen: boolean
}

const surrounding = new AsyncLocalStorage<Surrounding>()

/**
 * A transaction in a transaction would be another one, which does not see what the first one wrote; and with every
 * connection of the pool in a first one, each would wait for a second.
 *
 * @throws DatabaseError TWR_DB_TRANSACTION
 */
export function refuseNested(pool: pg.Pool): void {
  for (let each = surrounding.getStore(); each !== undefined; each = each.outer) {
    if (each.pool !== pool || !each.isOpen) continue
    throw new DatabaseError(
      'TWR_DB_TRANSACTION',
      'a transaction of a tenant was begun inside of another one',
      {
        hint: 'use the client that the outer one was given, or begin it after the outer one has ended'
      }
    )
  }
}

/** Runs the work of a transaction, so that one that is begun inside of it is seen to be. */
export async function insideOf<T>(pool: pg.Pool, work: () => Promise<T>): Promise<T> {
  const here: Surrounding = { pool, outer: surrounding.getStore(), isOpen: true }
  try {
    return await surrounding.run(here, work)
  } finally {
    here.isOpen = false
  }
}
