import { median } from '../random.js'
import type { Case, Run } from './cases.js'

/** What was measured of a case: milliseconds of one run, the medians of the rounds, and of their ratios. */
export interface Measured {
  readonly name: string
  readonly tenant: string
  readonly ms: number
  readonly byHandMs: number
  readonly ratio: number
}

/** How long each side runs in a round, in milliseconds, and how often at most. */
const ROUND_MS = 40
const MOST_RUNS = 100
/** Runs before anything is timed: after five PostgreSQL settles on a plan for a prepared statement. */
const WARM = 7

interface Side {
  readonly run: Run
  readonly times: number[]
  /** How many runs there were, so that none deletes what another has deleted. */
  done: number
}

/**
 * Holds what both sides of a case find against each other, then times them in turns.
 *
 * @throws Error where they find other rows
 */
export async function measure(one: Case, rounds: number): Promise<Measured> {
  const ours = { run: one.ours, times: [], done: 0 }
  const byHand = { run: one.byHand, times: [], done: 0 }
  await one.before?.(0, WARM)
  for (let n = 0; n < WARM; n++) mustAgree(one, await one.ours(ours.done++), await one.byHand(byHand.done++))
  const runs = Math.min(await runsOf(ours), await runsOf(byHand))
  for (let round = 0; round < rounds; round++) {
    await one.before?.(ours.done, ours.done + runs)
    // whoever is first finds other things in the caches
    for (const side of round % 2 === 0 ? [ours, byHand] : [byHand, ours]) await timed(side, runs)
  }
  const ratios = ours.times.map((ms, i) => ms / (byHand.times[i] ?? Number.NaN))
  return {
    name: one.name,
    tenant: one.tenant,
    ms: median(ours.times),
    byHandMs: median(byHand.times),
    ratio: median(ratios)
  }
}

function mustAgree({ name, tenant }: Case, ours: readonly string[], byHand: readonly string[]): void {
  if (ours.join() !== byHand.join()) {
    throw new Error(`${name} of the ${tenant} tenant: ${ours.join()} is not ${byHand.join()}`)
  }
  if (ours.length === 0 || ours[0] === '0 rows')
    throw new Error(`${name} of the ${tenant} tenant finds nothing`)
}

async function runsOf(side: Side): Promise<number> {
  const ms = await timed(side, 1)
  side.times.pop()
  return Math.min(MOST_RUNS, Math.max(1, Math.round(ROUND_MS / ms)))
}

async function timed(side: Side, runs: number): Promise<number> {
  const before = process.hrtime.bigint()
  for (let n = 0; n < runs; n++) await side.run(side.done++)
  const ms = Number(process.hrtime.bigint() - before) / 1e6 / runs
  side.times.push(ms)
  return ms
}
