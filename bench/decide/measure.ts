import { median } from '../random.js'
import type { Contender, Decide } from './contender.js'
import type { Ask, Workload } from './workload.js'

/** What was measured of one contender. */
export interface Measured {
  readonly name: string
  readonly kinds: number
  /** Processor time of one check in nanoseconds, the median of the rounds. */
  readonly ns: number
  /** The median of the rounds' ratios to the baseline of the same round. */
  readonly ratio: number
  /** Memory that is held after all questions were asked, in MiB, the questions themselves apart. */
  readonly mib: number
}

/** A contender that could not be loaded, and why. */
export interface Absent {
  readonly name: string
  readonly why: string
}

interface Ready {
  readonly contender: Contender
  readonly decide: Decide
  readonly asks: readonly Ask[]
  readonly mib: number
  readonly times: number[]
}

/** The shortest time that one contender is asked in a round, in nanoseconds. */
const ROUND_NS = 60e6

/**
 * Makes the contenders ready, holds their decisions against each other, then times them in turns.
 *
 * @param contenders the baseline first
 * @throws Error where a contender decides otherwise than the baseline
 */
export async function measure(
  contenders: readonly Contender[],
  workload: Workload,
  { rounds, tell }: { readonly rounds: number; readonly tell: (line: string) => void }
): Promise<{ readonly measured: readonly Measured[]; readonly absent: readonly Absent[] }> {
  const kinds = workload.bundle.resources.length
  const ready: Ready[] = []
  const absent: Absent[] = []
  for (const contender of contenders.filter(({ maxKinds }) => kinds <= maxKinds)) {
    tell(`${kinds} types: ${contender.name}`)
    try {
      ready.push(await prepared(contender, workload))
    } catch (error) {
      // the loader of TypeScript throws without the code ERR_MODULE_NOT_FOUND
      if (!(error instanceof Error) || !/^Cannot find (package|module) /.test(error.message)) throw error
      absent.push({ name: contender.name, why: 'not installed; `npm ci --prefix bench` does' })
    }
  }
  mustAgree(ready, workload)
  for (let round = 0; round < rounds; round++) {
    tell(`${kinds} types: round ${round + 1} of ${rounds}`)
    // in turns and each time from another one, so that what disturbs the machine disturbs all
    for (let i = 0; i < ready.length; i++) {
      const one = ready[(i + round) % ready.length]
      one?.times.push(nanosecondsOf(one))
    }
  }
  const baseline = ready[0]?.times ?? []
  const measured = ready.map(({ contender: { name }, times, mib }): Measured => {
    const ratio = median(times.map((time, i) => time / (baseline[i] ?? 1)))
    return { name, kinds, ns: median(times), ratio, mib }
  })
  return { measured, absent }
}

async function prepared(contender: Contender, workload: Workload): Promise<Ready> {
  const asks = workload.asks.filter((_, i) => i % contender.oneIn === 0)
  const before = heapBytes()
  const decide = await contender.prepare(workload)
  for (const ask of asks) decide(ask)
  const mib = (heapBytes() - before) / 2 ** 20
  return { contender, decide, asks, mib, times: [] }
}

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc')
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

/** Speed of a wrong decision is worth nothing. */
function mustAgree([baseline, ...others]: readonly Ready[], { asks }: Workload): void {
  for (const { contender, decide, asks: own } of others) {
    const wrong = own.find(ask => decide(ask) !== baseline?.decide(ask))
    if (wrong !== undefined) throw new Error(`${contender.name} decides otherwise: ${JSON.stringify(wrong)}`)
  }
  const allowed = asks.filter(ask => baseline?.decide(ask)).length
  if (allowed < asks.length / 4 || allowed > (asks.length * 3) / 4) {
    throw new Error(`${allowed} of ${asks.length} questions are allowed, which tests one side alone`)
  }
}

/** Processor time of one check: time of the clock would count what else the machine does. */
function nanosecondsOf({ decide, asks }: Ready): number {
  let checks = 0
  let allowed = 0
  const start = process.cpuUsage()
  let spent = 0
  while (spent < ROUND_NS) {
    for (const ask of asks) if (decide(ask)) allowed++
    checks += asks.length
    const { user, system } = process.cpuUsage(start)
    spent = (user + system) * 1000
  }
  if (allowed === 0) throw new Error('nothing was allowed')
  return spent / checks
}
