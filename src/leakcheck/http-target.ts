import { LeakError } from '../errors/errors.js'
import { filled, filledDeep, namesIn } from './placeholders.js'
import type { HttpRequest, Row, Target, Tenant } from './request.js'

/** How long an answer may take. */
const TIMEOUT_MS = 30_000

/** A request over HTTP. Nobody sends it without the headers that name a tenant. */
export function httpTarget(request: HttpRequest): Target {
  const { url, body } = request
  return {
    request,
    takesNobody: namesIn(JSON.stringify([url, body])).length === 0,
    disturbances: ['abandon'],
    async ask(asking) {
      const reply = await fetch(
        asking.tenant === null ? url : filled(url, asking.tenant, encodeURIComponent),
        {
          method: request.method,
          headers: headersOf(request, asking.tenant),
          ...(body === undefined ? {} : { body: bodyOf(request, asking.tenant) }),
          signal: AbortSignal.timeout(asking.disturbance === null ? TIMEOUT_MS : asking.afterMs)
        }
      )
      // who is not let in has seen nothing
      if (asking.tenant === null && !reply.ok) {
        await reply.arrayBuffer()
        return []
      }
      return rowsOf(request, reply)
    }
  }
}

function headersOf({ headers, body }: HttpRequest, tenant: Tenant | null): Record<string, string> {
  const given = Object.entries(headers).flatMap(([name, value]) => {
    if (tenant !== null) return [[name, filled(value, tenant)]]
    return namesIn(value).length === 0 ? [[name, value]] : []
  })
  return {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...Object.fromEntries(given)
  }
}

function bodyOf({ body }: HttpRequest, tenant: Tenant | null): string {
  return JSON.stringify(tenant === null ? body : filledDeep(body, tenant))
}

async function rowsOf({ name, rows: pointer }: HttpRequest, reply: Response): Promise<readonly Row[]> {
  const text = await reply.text()
  if (!reply.ok) throw new Error(`HTTP ${reply.status}: ${text.slice(0, 200)}`)
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (cause) {
    throw new LeakError('TWR_LEAK_TARGET', `${name} does not answer with JSON`, { cause })
  }
  // RFC 6901: ~1 stands for /, ~0 for ~
  const path = pointer === '' ? [] : pointer.slice(1).split('/')
  for (const part of path.map(one => one.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[part] : undefined
  }
  if (found === undefined) {
    throw new LeakError('TWR_LEAK_TARGET', `the answer of ${name} has nothing at ${pointer}`, {
      hint: 'rows says where the rows are, such as /items'
    })
  }
  return Array.isArray(found) ? found : [found]
}
