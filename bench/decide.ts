/**
 * How long one decision takes in process, against hand-written JavaScript, CASL, casbin and Cedar, in one run.
 *
 *     npm ci --prefix bench && npm run bench:decide [-- --kinds 5,100,1000 --rounds 9 --format json]
 */
import { parseArgs } from 'node:util'
import { casbin } from './decide/casbin.js'
import { cedar } from './decide/cedar.js'
import type { Contender } from './decide/contender.js'
import { handWritten } from './decide/hand-written.js'
import { type Absent, type Measured, measure } from './decide/measure.js'
import {
  abilityPerRequest,
  asClosures,
  asCode,
  cachedAbilities,
  engine,
  staticAbility
} from './decide/ours.js'
import { workload } from './decide/workload.js'
import { seeded } from './random.js'
import { table } from './table.js'

/** All that are compared; the first is the baseline. */
export const CONTENDERS: readonly Contender[] = [
  handWritten,
  asCode,
  asClosures,
  staticAbility,
  engine,
  cachedAbilities,
  abilityPerRequest,
  casbin,
  cedar
]

const SEED = 42

/** Measures all contenders with each number of resource types. */
export async function decideBench(
  kinds: readonly number[],
  options: { readonly asks: number; readonly rounds: number; readonly tell: (line: string) => void }
): Promise<{ readonly measured: readonly Measured[]; readonly absent: readonly Absent[] }> {
  const results = []
  for (const count of kinds) {
    results.push(await measure(CONTENDERS, await workload(count, options.asks, seeded(SEED)), options))
  }
  const absent = new Map(results.flatMap(one => one.absent).map(one => [one.name, one]))
  return { measured: results.flatMap(one => one.measured), absent: [...absent.values()] }
}

function report(measured: readonly Measured[]): string {
  const rows = measured.map(({ name, kinds, ns, ratio, mib }) => {
    return [name, String(kinds), ns.toFixed(0), ratio.toFixed(2), mib.toFixed(1)]
  })
  return table([['', 'types', 'ns a check', 'x hand-written', 'MiB held'], ...rows])
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      kinds: { type: 'string', default: '5,100,1000' },
      asks: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '9' },
      format: { type: 'string', default: 'text' }
    }
  })
  const { measured, absent } = await decideBench(values.kinds.split(',').map(Number), {
    asks: Number(values.asks),
    rounds: Number(values.rounds),
    tell: line => void process.stderr.write(`${line}\n`)
  })
  const json = [...measured, ...absent].map(one => `${JSON.stringify(one)}\n`).join('')
  const missing = absent.map(({ name, why }) => `${name}: ${why}\n`).join('')
  process.stdout.write(values.format === 'json' ? json : report(measured) + missing)
}
