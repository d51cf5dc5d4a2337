import { median } from '../random.js'
import type { Asked } from './questions.js'
import type { Target } from './targets.js'

/** Puts load on a server: as much of autocannon 9 as is used. It is no dependency of twinrule. */
type Autocannon = (options: Readonly<Record<string, unknown>>) => Promise<{
  readonly '2xx': number
  readonly non2xx: number
  readonly errors: number
  readonly duration: number
}>

/** Which questions go to which servers, the first of which is the baseline. */
export interface Load {
  readonly what: 'single' | 'batch of 50' | 'stored row'
  readonly asked: readonly Asked[]
  readonly targets: readonly Target[]
  /** Requests at once. */
  readonly connections: number
}

/** What was measured of one server. */
export interface Measured {
  readonly what: Load['what']
  readonly name: string
  /** Decisions a second, and processor time of a request in microseconds: medians of the rounds. */
  readonly perSecond: number
  readonly cpuUs: number
  /** Of both, the median of the rounds' ratios to the baseline of the same round. */
  readonly ratio: number
  readonly cpuRatio: number
}

/** How long and how often. */
export interface LoadOptions {
  readonly rounds: number
  readonly seconds: number
  tell(line: string): void
}

interface Round {
  readonly perSecond: number
  readonly cpuUs: number
}

/** Holds every answer against what must come out, then loads the servers in turns. */
export async function measure(
  load: Load,
  { rounds, seconds, tell }: LoadOptions
): Promise<readonly Measured[]> {
  const name: string = 'autocannon'
  const { default: autocannon } = (await import(name)) as { default: Autocannon }
  for (const target of load.targets) await verify(target, load)
  const results = load.targets.map((): Round[] => [])
  for (const target of load.targets) await run(autocannon, target, load, 1)
  for (let round = 0; round < rounds; round++) {
    tell(`${load.what}: round ${round + 1} of ${rounds}`)
    // in turns and each time from another one, so that what disturbs the machine disturbs all
    for (let i = 0; i < load.targets.length; i++) {
      const at = (i + round) % load.targets.length
      const target = load.targets[at]
      if (target !== undefined) results[at]?.push(await run(autocannon, target, load, seconds))
    }
  }
  const baseline = results[0] ?? []
  return load.targets.map(({ name }, i): Measured => {
    const own = results[i] ?? []
    return {
      what: load.what,
      name,
      perSecond: median(own.map(one => one.perSecond)),
      cpuUs: median(own.map(one => one.cpuUs)),
      ratio: median(own.map((one, round) => one.perSecond / (baseline[round]?.perSecond ?? 1))),
      cpuRatio: median(own.map((one, round) => one.cpuUs / (baseline[round]?.cpuUs ?? 1)))
    }
  })
}

function pathOf({ path }: Target, { what }: Load): string {
  return what === 'batch of 50' ? path.batch : path.single
}

/** Speed of a wrong decision is worth nothing. */
async function verify(target: Target, load: Load): Promise<void> {
  const { server, headers, bodyOf, decisionsIn } = target
  for (const asked of load.asked) {
    const body = JSON.stringify(bodyOf(asked))
    const reply = await fetch(server.url + pathOf(target, load), { method: 'POST', headers, body })
    const answer: unknown = await reply.json()
    if (!reply.ok) throw new Error(`${target.name} answers ${reply.status}: ${JSON.stringify(answer)}`)
    const decisions = decisionsIn === null ? asked.expected : decisionsIn(answer)
    if (JSON.stringify(decisions) !== JSON.stringify(asked.expected)) {
      throw new Error(`${target.name} decides otherwise: ${body} ${JSON.stringify(answer)}`)
    }
  }
}

async function run(autocannon: Autocannon, target: Target, load: Load, seconds: number): Promise<Round> {
  const { server, headers, bodyOf } = target
  const requests = load.asked.map(asked => ({ body: JSON.stringify(bodyOf(asked)) }))
  let opened = 0
  const before = server.cpuUs()
  const startedAt = performance.now()
  const result = await autocannon({
    url: server.url + pathOf(target, load),
    method: 'POST',
    headers,
    connections: load.connections,
    duration: seconds,
    requests,
    // each connection begins elsewhere: in step they would all ask the same question at the same time
    setupClient(client: { setRequests(requests: readonly object[]): void }) {
      const from = Math.floor((opened++ * requests.length) / load.connections)
      client.setRequests([...requests.slice(from), ...requests.slice(0, from)])
    }
  })
  const took = (performance.now() - startedAt) / 1000
  const answered = result['2xx']
  if (result.non2xx > 0 || result.errors > 0 || answered === 0) {
    throw new Error(`${target.name}: ${result.non2xx} refused, ${result.errors} failed, ${answered} answered`)
  }
  const questions = load.asked[0]?.requests.length ?? 1
  return { perSecond: (answered * questions) / took, cpuUs: (server.cpuUs() - before) / answered }
}
