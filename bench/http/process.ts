import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server in a process of its own. */
export interface Server {
  readonly url: string
  /** Milliseconds from the start of the process to its first good answer. */
  readonly readyMs: number
  /** Processor time so far in microseconds, of all threads. */
  cpuUs(): number
  /** Resident memory in MiB. */
  rssMib(): number
  stop(): Promise<void>
}

/** How to start one. `ready` is a path that answers 200 once it can be asked. */
export interface Start {
  readonly command: readonly [string, ...string[]]
  readonly port: number
  readonly ready: string
  readonly env?: Readonly<Record<string, string>>
}

const PINNED = canPin()
/** Ticks of a second in /proc, on every Linux there is. */
const TICKS = 100
const START_LIMIT_MS = 30_000

/** Whether servers run on the first processor and the load on the second, so that neither takes the other's time. */
export function pinned(): boolean {
  return PINNED
}

function canPin(): boolean {
  if (cpus().length < 2) return false
  try {
    execFileSync('taskset', ['-acp', '1', String(process.pid)], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Starts a server and waits until it answers. @throws Error when it ends or does not answer in half a minute */
export async function startServer({ command, port, ready, env = {} }: Start): Promise<Server> {
  const [program, ...args] = PINNED ? (['taskset', '-c', '0', ...command] as const) : command
  const startedAt = performance.now()
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env },
    // what the load cuts off at its end is an error to some of them
    stdio: 'ignore'
  })
  const url = `http://127.0.0.1:${port}`
  try {
    await untilReady(child, url + ready)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    url,
    readyMs: performance.now() - startedAt,
    cpuUs: () => cpuTime(child),
    rssMib: () => Number(/VmRSS:\s+(\d+)/.exec(proc(child, 'status'))?.[1]) / 1024,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const until = performance.now() + START_LIMIT_MS
  while (performance.now() < until && child.exitCode === null) {
    // an answer of any kind but a fault: the peers have nothing to say of their health
    const status = await fetch(url).then(
      reply => reply.status,
      () => 0
    )
    if (status !== 0 && status !== 503) return
    await sleep(2)
  }
  throw new Error(`${child.spawnargs.join(' ')} does not answer`)
}

function proc({ pid }: ChildProcess, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8')
}

function cpuTime(child: ChildProcess): number {
  // behind the name of the program, which may hold anything
  const fields = proc(child, 'stat').split(') ').at(-1)?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6
}
