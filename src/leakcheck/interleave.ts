import { type Alone, identityOf } from './alone.js'
import type { Asking, Disturbance, Row, Tenant } from './request.js'

/** One thing that happened, for the story of a leak. */
export interface Event {
  /** Milliseconds since the first request. */
  readonly at: number
  readonly client: number
  readonly request: string
  /** Null for nobody. */
  readonly tenant: string | null
  readonly disturbance: Disturbance | null
  /** Null while it runs. */
  readonly ended: { readonly at: number; readonly how: string } | null
}

/** An answer with rows that its tenant does not get alone, and another one does. */
export interface Leak {
  readonly request: string
  readonly tenant: string | null
  readonly rows: readonly { readonly row: Row; readonly of: readonly string[] }[]
  /** What was asked before and during the answer, the answer last. */
  readonly story: readonly Event[]
}

/** What was found. */
export interface Findings {
  readonly answers: number
  readonly disturbed: number
  /** Requests that failed without being disturbed, and what the first of them said. */
  readonly failed: { readonly count: number; readonly first: string | null }
  /** Answers that lacked rows which their tenant gets alone. */
  readonly lacking: number
  readonly leaks: readonly Leak[]
}

/** How to ask. */
export interface Plan {
  readonly requests: number
  readonly clients: number
  /** Numbers from 0 to 1. */
  readonly random: () => number
  readonly onProgress?: (answers: number) => void
}

/** Of how many requests one is disturbed, and one is sent for nobody. */
const ONE_DISTURBED = 4
const ONE_FOR_NOBODY = 8
/** The longest time until a request is disturbed, in milliseconds. */
const LATEST_MS = 8
const STORY = 12

interface Run extends Plan {
  readonly alone: readonly Alone[]
  readonly tenants: readonly Tenant[]
  readonly begun: number
  readonly events: Event[]
  sent: number
  answers: number
  disturbed: number
  failed: number
  firstFailure: string | null
  lacking: number
  readonly leaks: Leak[]
}

/** Sends requests of all tenants at the same time, until they are all answered or a row has leaked. */
export async function interleave(
  alone: readonly Alone[],
  tenants: readonly Tenant[],
  plan: Plan
): Promise<Findings> {
  const run: Run = {
    ...plan,
    alone,
    tenants,
    begun: performance.now(),
    events: [],
    sent: 0,
    answers: 0,
    disturbed: 0,
    failed: 0,
    firstFailure: null,
    lacking: 0,
    leaks: []
  }
  await Promise.all(Array.from({ length: plan.clients }, (_, client) => worker(run, client + 1)))
  const { answers, disturbed, failed, firstFailure, lacking, leaks } = run
  return { answers, disturbed, failed: { count: failed, first: firstFailure }, lacking, leaks }
}

async function worker(run: Run, client: number): Promise<void> {
  while (run.sent < run.requests && run.leaks.length === 0) {
    run.sent++
    await one(run, client)
    run.onProgress?.(run.answers + run.disturbed + run.failed)
  }
}

async function one(run: Run, client: number): Promise<void> {
  const about = pick(run.random, run.alone)
  const { target } = about
  const asking = askingOf(run, about)
  const { disturbance } = asking
  const tenant = asking.tenant?.name ?? null
  const event = { at: now(run), client, request: target.request.name, tenant, disturbance, ended: null }
  const place = run.events.push(event) - 1
  const end = (how: string): void => {
    run.events[place] = { ...event, ended: { at: now(run), how } }
  }
  try {
    const rows = await target.ask(asking)
    run.answers++
    end(`${rows.length} rows`)
    judge(run, about, tenant, rows, place)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    end(`error: ${why}`)
    if (disturbance !== null || isCancelled(error)) run.disturbed++
    // nobody may be refused
    else if (tenant === null) run.answers++
    else {
      run.failed++
      run.firstFailure ??= `${target.request.name} for ${tenant}: ${why}`
    }
  }
}

/** A cancellation may come late, and meet what another tenant sent next over the same connection. */
function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014'
}

function askingOf({ random, tenants }: Run, { target }: Alone): Asking {
  const isNobody = target.takesNobody && random() * ONE_FOR_NOBODY < 1
  const tenant = isNobody ? null : pick(random, tenants)
  const disturbance = random() * ONE_DISTURBED < 1 ? pick(random, target.disturbances) : null
  return { tenant, disturbance, afterMs: 1 + Math.floor(random() * LATEST_MS) }
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}

function now({ begun }: Run): number {
  return performance.now() - begun
}

function judge(
  run: Run,
  { target, rows: alone, owners }: Alone,
  tenant: string | null,
  rows: readonly Row[],
  place: number
): void {
  const own = alone.get(tenant) ?? new Set<string>()
  const ids = rows.map(row => identityOf(row, target.request))
  const strange = rows.flatMap((row, i) => {
    const id = ids[i] ?? ''
    // a row that is nobody's has been made since
    const of = own.has(id) ? [] : [...(owners.get(id) ?? [])]
    return of.length === 0 ? [] : [{ row, of }]
  })
  const got = new Set(ids)
  if ([...own].some(id => !got.has(id))) run.lacking++
  if (strange.length === 0) return
  run.leaks.push({
    request: target.request.name,
    tenant,
    rows: strange,
    story: storyOf(run.events, place, new Set(strange.flatMap(({ of }) => of)))
  })
}

/** What may have to do with a leak: requests of those whose rows they are, what was disturbed, what ran meanwhile. */
function storyOf(events: readonly Event[], place: number, owners: ReadonlySet<string>): readonly Event[] {
  const leak = events[place] as Event
  const isNear = ({ tenant, disturbance, ended }: Event): boolean =>
    disturbance !== null || (tenant !== null && owners.has(tenant)) || ended === null || ended.at >= leak.at
  const before = events.filter(
    (event, i) => i !== place && event.at <= (leak.ended?.at ?? leak.at) && isNear(event)
  )
  return [...before.slice(-STORY), leak]
}
