import fc from 'fast-check'
import { linkRow, PARENTS, parentRow, type Row, row } from './arbitraries.js'
import type { Attempts } from './locks.js'

const ROWS = 24

const uuidOf = (n: number): string => `10000000-0000-0000-0000-${String(n).padStart(12, '0')}`

/** Random attempts: rows that stand in the table, rows to be inserted and changes to be made. */
export function attemptsFor(seed: number): Attempts {
  const some = fc.sample(row, { seed, numRuns: ROWS * 2 })
  const rows: Row[] = some.slice(0, ROWS).map((one, i) => ({ ...one, id: uuidOf(i) }))
  const inserts: Row[] = some.slice(ROWS).map((one, i) => ({ ...one, id: uuidOf(1000 + i) }))
  const updates = rows.flatMap((old, i) =>
    [0, 5, 11].map(step => ({ old, next: { ...(inserts[(i + step) % ROWS] as Row), id: old.id } }))
  )
  const parents = fc
    .sample(parentRow, { seed, numRuns: PARENTS.length })
    .map((one, i) => ({ ...one, id: PARENTS[i] }))
  const links = fc.sample(linkRow, { seed, numRuns: ROWS * 2 }).map(({ thing, ...one }) => {
    return { ...one, thing_id: thing < ROWS ? uuidOf(thing) : uuidOf(1000 + thing - ROWS) }
  })
  // a row that stays as it is
  return { rows, inserts, updates: [...updates, ...rows.map(old => ({ old, next: old }))], parents, links }
}
