import { dirname, resolve } from 'node:path'
import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { type Path, parseSource, type Source } from '../policy/source.js'
import { shapeOf, shapeProblems } from '../policy/validate.js'
import { namesIn } from './placeholders.js'
import type { LeakFile, Request, Tenant } from './request.js'
import { LEAKCHECK_SCHEMA } from './schema.js'

/** A request as the file writes it. */
interface Written {
  readonly sql?: string
  readonly context?: string | readonly string[]
  readonly transaction?: boolean
  readonly url?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly rows?: string
  readonly module?: string
  readonly call?: string
  readonly key?: readonly string[]
}

type WrittenTenant = Readonly<Record<string, string | { readonly env: string }>>

/** Which keys go with each kind of request. */
const KINDS = {
  sql: ['context', 'transaction'],
  url: ['method', 'headers', 'body', 'rows'],
  module: ['call']
} as const
type Kind = keyof typeof KINDS

const leakShape = shapeOf(LEAKCHECK_SCHEMA)

interface Reading {
  readonly source: Source
  readonly problems: PolicyError[]
}

/**
 * Reads a leakcheck file, or gives every mistake in it. Pure.
 *
 * @param file its path, beside which its modules are
 * @param env the variables that its tenants name
 */
export function readLeakFile(
  file: string,
  text: string,
  env: Readonly<Record<string, string | undefined>>
): { readonly checked: LeakFile | null; readonly problems: readonly PolicyError[] } {
  const { source, problems } = parseSource(file, text)
  if (source === null) return { checked: null, problems }
  const shape = shapeProblems(source, leakShape)
  if (problems.length + shape.length > 0) return { checked: null, problems: [...problems, ...shape] }
  const reading: Reading = { source, problems: [] }
  const written = source.value as {
    readonly tenants: Readonly<Record<string, WrittenTenant>>
    readonly requests: Readonly<Record<string, Written>>
  }
  const tenants = Object.entries(written.tenants).map(([name, values]) =>
    readTenant(reading, name, values, env)
  )
  const requests = Object.entries(written.requests).flatMap(
    ([name, request]) => readRequest(reading, name, request, tenants) ?? []
  )
  const { problems: found } = reading
  return { checked: found.length === 0 ? { tenants, requests } : null, problems: found }
}

function mistake({ source, problems }: Reading, path: Path, message: string, hint?: string): void {
  problems.push(new PolicyError('TWR_LEAK_FILE', message, source.spanOf(path), hint))
}

function readTenant(
  reading: Reading,
  name: string,
  values: WrittenTenant,
  env: Readonly<Record<string, string | undefined>>
): Tenant {
  const read = Object.entries(values).map(([key, value]) => {
    if (typeof value === 'string') return [key, value] as const
    const found = env[value.env] ?? ''
    if (found === '') {
      mistake(reading, ['tenants', name, key], `the environment variable ${value.env} is not set`)
    }
    return [key, found] as const
  })
  return { name, values: Object.fromEntries(read) }
}

function readRequest(
  reading: Reading,
  name: string,
  written: Written,
  tenants: readonly Tenant[]
): Request | null {
  const path: Path = ['requests', name]
  const kinds = (Object.keys(KINDS) as Kind[]).filter(one => Object.hasOwn(written, one))
  const [kind, other] = kinds
  if (kind === undefined || other !== undefined) {
    const message =
      kind === undefined ? 'the request says nothing to ask' : `both ${kind} and ${other} are given`
    mistake(reading, path, message, 'a request has one of sql, url and module')
    return null
  }
  const allowed: readonly string[] = [kind, 'key', ...KINDS[kind]]
  for (const key of Object.keys(written).filter(one => !allowed.includes(one))) {
    mistake(reading, [...path, key], `${key} does not go with ${kind}`)
  }
  checkNames(reading, path, written, tenants)
  return requestOf(kind, name, written, reading.source.file)
}

/** Every placeholder names a value that all tenants have. */
function checkNames(reading: Reading, path: Path, written: Written, tenants: readonly Tenant[]): void {
  const { sql, context, url, headers, body } = written
  const texts = JSON.stringify([sql, context, url, headers, body])
  for (const wanted of new Set(namesIn(texts))) {
    for (const { name, values } of tenants.filter(tenant => !Object.hasOwn(tenant.values, wanted))) {
      const hint = suggest(wanted, Object.keys(values), 'its values')
      mistake(
        reading,
        path,
        `{${wanted}} stands for nothing: the tenant ${name} has no value of this name`,
        hint
      )
    }
  }
}

function requestOf(kind: Kind, name: string, written: Written, file: string): Request {
  const key = written.key ?? null
  switch (kind) {
    case 'sql': {
      const { sql = '', context = [], transaction = true } = written
      return { kind, name, sql, context: [context].flat(), transaction, key }
    }
    case 'url': {
      const { url = '', method = 'GET', headers = {}, body, rows = '' } = written
      return { kind: 'http', name, url, method, headers, body, rows, key }
    }
    case 'module': {
      const { module = '', call = 'default' } = written
      return { kind, name, path: resolve(dirname(file), module), call, key }
    }
  }
}
