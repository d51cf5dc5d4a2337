import { pathToFileURL } from 'node:url'
import { LeakError } from '../errors/errors.js'
import type { ModuleRequest, Target } from './request.js'

type Call = (tenant: Readonly<Record<string, string>>, options: { readonly signal: AbortSignal }) => unknown

const TIMEOUT_MS = 30_000

/** A function of the application, with the pool and the code that the application has. */
export async function moduleTarget(request: ModuleRequest): Promise<Target> {
  const { name, path, call: exported } = request
  const call = await functionOf(request)
  return {
    request,
    takesNobody: false,
    disturbances: ['abandon'],
    async ask({ tenant, disturbance, afterMs }) {
      const signal = AbortSignal.timeout(disturbance === null ? TIMEOUT_MS : afterMs)
      const rows = await call({ ...tenant?.values, name: tenant?.name ?? '' }, { signal })
      if (!Array.isArray(rows)) {
        throw new LeakError('TWR_LEAK_TARGET', `${exported} of ${path} gives no list of rows`, {
          hint: `${name} is compared row by row`
        })
      }
      return rows
    }
  }
}

async function functionOf({ path, call }: ModuleRequest): Promise<Call> {
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = await import(pathToFileURL(path).href)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new LeakError('TWR_LEAK_TARGET', `the module ${path} cannot be loaded: ${why}`, { cause })
  }
  const found = exports[call]
  if (typeof found === 'function') return found as Call
  throw new LeakError('TWR_LEAK_TARGET', `the module ${path} exports no function ${call}`, {
    hint: `it exports ${Object.keys(exports).join(', ') || 'nothing'}`
  })
}
