import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/server.js'
import { median } from '../random.js'
import { type Server, startServer } from './process.js'

/** Something that can be started, and is ready when it answers. */
export interface Starting {
  readonly name: string
  readonly start: () => Promise<Server>
}

/** How long a start takes and what is held when nothing is asked, with their ratios to the first one. */
export interface Idle {
  readonly name: string
  readonly readyMs: number
  readonly readyRatio: number
  readonly rssMib: number
  readonly rssRatio: number
}

/** V8 gives back what only the start needed after some seconds in which nothing happens. */
const IDLE_MS = 15_000

/** Fastify with one route, as plain JavaScript. */
export async function bareFastify(): Promise<Server> {
  const port = await freePort()
  const file = join(import.meta.dirname, 'bare.mjs')
  return startServer({ command: [process.execPath, file, String(port)], port, ready: '/' })
}

/** Starts each of them in turns, `rounds` times, and then lets all of them be idle side by side. */
export async function idle(all: readonly Starting[], rounds: number): Promise<readonly Idle[]> {
  const times = all.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, { start }] of all.entries()) {
      const server = await start()
      times[i]?.push(server.readyMs)
      await server.stop()
    }
  }
  const running: Server[] = []
  try {
    for (const { start } of all) running.push(await start())
    await sleep(IDLE_MS)
    const [first = []] = times
    const held = running.map(server => server.rssMib())
    return all.map(({ name }, i) => {
      const own = times[i] ?? []
      const ratios = own.map((time, round) => time / (first[round] ?? Number.NaN))
      const [rssMib = 0, least = 0] = [held[i], held[0]]
      return { name, readyMs: median(own), readyRatio: median(ratios), rssMib, rssRatio: rssMib / least }
    })
  } finally {
    for (const server of running) await server.stop()
  }
}
