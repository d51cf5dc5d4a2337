import { LeakError } from '../errors/errors.js'
import type { Request, Row, Target, Tenant } from './request.js'

/** How often each is asked before anything is asked at the same time. */
const TIMES = 3

/** What a request gives to each tenant while nothing else is asked. */
export interface Alone {
  readonly target: Target
  /** The rows of each tenant, and those of nobody under null. */
  readonly rows: ReadonlyMap<string | null, ReadonlySet<string>>
  /** Whose a row is: the tenants that get it. */
  readonly owners: ReadonlyMap<string, ReadonlySet<string>>
}

/** What tells a row from others. */
export function identityOf(row: Row, { key }: Pick<Request, 'key'>): string {
  if (key === null || typeof row !== 'object' || row === null) return stable(row)
  return stable(key.map(name => (row as Readonly<Record<string, unknown>>)[name] ?? null))
}

/** JSON that does not depend on the order of members. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return String(part)
    const isRecord = typeof part === 'object' && part !== null && !Array.isArray(part)
    return isRecord ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part
  })
}

/**
 * Asks for nobody, and then for each tenant alone, several times.
 *
 * @throws LeakError TWR_LEAK_TARGET when it cannot be asked; TWR_LEAK_BLIND when the answers tell tenants not apart
 */
export async function askAlone(target: Target, tenants: readonly Tenant[]): Promise<Alone> {
  const rows = new Map<string | null, ReadonlySet<string>>()
  // nobody first: on a pool that keeps what was said on a connection, nobody is somebody afterwards
  if (target.takesNobody) rows.set(null, await steadyRows(target, null))
  for (const tenant of tenants) rows.set(tenant.name, await steadyRows(target, tenant))
  const owners = new Map<string, Set<string>>()
  for (const [name, own] of rows) {
    if (name === null) continue
    for (const row of own) owners.set(row, (owners.get(row) ?? new Set()).add(name))
  }
  const { request } = target
  if ([...owners.values()].every(those => those.size === tenants.length)) {
    const what = owners.size === 0 ? 'no rows' : 'the same rows'
    throw new LeakError(
      'TWR_LEAK_BLIND',
      `${request.name} gives ${what} to every tenant, so no leak could be seen`,
      {
        hint: 'ask for something of which each tenant has rows of its own'
      }
    )
  }
  return { target, rows, owners }
}

/** The rows that come each time: a row that somebody changes in between is nobody's mistake. */
async function steadyRows(target: Target, tenant: Tenant | null): Promise<ReadonlySet<string>> {
  const { request } = target
  const answers: ReadonlySet<string>[] = []
  for (let time = 0; time < TIMES; time++) {
    const rows = await answerOf(target, tenant)
    answers.push(new Set(rows.map(row => identityOf(row, request))))
  }
  const seen = new Set(answers.flatMap(ids => [...ids]))
  const steady = new Set([...seen].filter(id => answers.every(ids => ids.has(id))))
  if (seen.size > 0 && steady.size === 0) {
    throw new LeakError('TWR_LEAK_BLIND', `${request.name} gives other rows each time, to the same tenant`, {
      hint: 'name the members that tell its rows apart, such as `key: [id]`'
    })
  }
  return steady
}

async function answerOf(target: Target, tenant: Tenant | null): Promise<readonly Row[]> {
  try {
    return await target.ask({ tenant, disturbance: null, afterMs: 0 })
  } catch (cause) {
    if (cause instanceof LeakError) throw cause
    // without what says for whom it is, a request may well be refused
    if (tenant === null && !isUnreachable(cause)) return []
    const why = cause instanceof Error ? `${cause.message}${reasonOf(cause)}` : String(cause)
    const whom = tenant === null ? 'nobody' : tenant.name
    throw new LeakError('TWR_LEAK_TARGET', `${target.request.name} for ${whom}: ${why}`, { cause })
  }
}

/** `fetch failed` has its reason in its cause. */
function reasonOf({ cause }: Error): string {
  return cause instanceof Error ? `: ${cause.message || String((cause as NodeJS.ErrnoException).code)}` : ''
}

function isUnreachable(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } }
  return /^(ECONN|ENOTFOUND|EHOST|28|3D)/.test(String(code ?? cause?.code ?? ''))
}
