import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Bundle } from '../../src/ir/model.js'
import { freePort } from '../../test/support/server.js'
import { type Server, startServer } from './process.js'
import { type Asked, authzenBody, cerbosBody } from './questions.js'

/** A server that can be asked the questions. */
export interface Target {
  readonly name: string
  readonly server: Server
  readonly path: { readonly single: string; readonly batch: string }
  readonly headers: Readonly<Record<string, string>>
  bodyOf(asked: Asked): unknown
  /** The decisions in an answer; null where it decides nothing. */
  decisionsIn: ((answer: unknown) => readonly boolean[]) | null
}

/** Those that need a package of bench/package.json, and why they are not there. */
export interface Absent {
  readonly name: string
  readonly why: string
}

const ROOT = join(import.meta.dirname, '..', '..')
const KEY = 'key-of-the-benchmark'
const JSON_TYPE = { 'content-type': 'application/json' }
const AUTHZEN = { single: '/access/v1/evaluation', batch: '/authorize' }

/** One of the servers of peers.ts. */
export async function peer(name: string, kind: 'node' | 'fastify' | 'query', url = ''): Promise<Target> {
  const port = await freePort()
  const loader = import.meta.resolve('@tapjs/typescript/import')
  const file = join(import.meta.dirname, 'peers.ts')
  const server = await startServer({
    command: [process.execPath, '--import', loader, file, kind, String(port), url],
    port,
    ready: '/'
  })
  return { name, server, path: AUTHZEN, headers: JSON_TYPE, bodyOf: authzenBody, decisionsIn: null }
}

/** Ours, as `npm run build` made it: stateless, or on a database. */
export async function twinrule(name: string, databaseUrl: string | null): Promise<Target> {
  const port = await freePort()
  const server = await startServer({
    command: [
      process.execPath,
      join(ROOT, 'dist', 'cli', 'main.js'),
      'serve',
      '--policies',
      join(ROOT, 'policies'),
      ...(databaseUrl === null ? ['--stateless'] : [])
    ],
    port,
    ready: '/health/ready',
    env: {
      PORT: String(port),
      TWINRULE_API_KEYS: KEY,
      // the others write none either
      LOG_LEVEL: 'warn',
      TWINRULE_MAX_IN_FLIGHT: '1000',
      NODE_ENV: 'production',
      ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl })
    }
  })
  return {
    name,
    server,
    path: AUTHZEN,
    headers: { ...JSON_TYPE, authorization: `Bearer ${KEY}` },
    bodyOf: authzenBody,
    decisionsIn(answer) {
      const { decision, evaluations } = answer as {
        decision?: boolean
        evaluations?: { decision: boolean }[]
      }
      return evaluations?.map(one => one.decision) ?? [decision === true]
    }
  }
}

/** Cerbos with the same rules for each type. @throws Error ERR_MODULE_NOT_FOUND or MODULE_NOT_FOUND without its package */
export async function cerbos(name: string, bundle: Bundle, folder: string): Promise<Target> {
  const found = createRequire(import.meta.url).resolve('@cerbos/cerbos-linux-x64/package.json')
  const [port, grpc] = [await freePort(), await freePort()]
  const policies = join(folder, 'policies')
  mkdirSync(policies, { recursive: true })
  for (const { name: kind } of bundle.resources)
    writeFileSync(join(policies, `${kind}.yaml`), cerbosPolicy(kind))
  const config = join(folder, 'config.json')
  writeFileSync(
    config,
    JSON.stringify({
      server: { httpListenAddr: `127.0.0.1:${port}`, grpcListenAddr: `127.0.0.1:${grpc}` },
      storage: { driver: 'disk', disk: { directory: policies } },
      telemetry: { disabled: true }
    })
  )
  const server = await startServer({
    command: [join(dirname(found), 'cerbos-linux-x64'), 'server', `--config=${config}`, '--log-level=ERROR'],
    port,
    ready: '/_cerbos/health'
  })
  const path = { single: '/api/check/resources', batch: '/api/check/resources' }
  return {
    name,
    server,
    path,
    headers: JSON_TYPE,
    bodyOf: cerbosBody,
    decisionsIn(answer) {
      const { results } = answer as { results: { actions: Record<string, string> }[] }
      return results.map(({ actions }) => Object.values(actions)[0] === 'EFFECT_ALLOW')
    }
  }
}

/** The rules of policies/platform.yaml, for the actions that are asked. */
function cerbosPolicy(kind: string): string {
  const live = 'R.attr.deleted_at == null'
  const mine = 'R.attr.tenant_id == P.attr.tenant_id'
  const published = '(R.attr.sharing_mode == "global" || R.attr.resource_type == "platform")'
  const shared = `${live} && R.attr.is_shared && R.attr.sharing_mode`
  const rules = [
    ['read, create, delete', 'P.attr.is_platform_admin'],
    ['read, delete', `${mine} && ${live}`],
    ['create', `${mine} && ${live} && !${published}`],
    ['read', `${shared} == "global"`],
    ['read', `${shared} == "selective" && P.attr.tenant_id in R.attr.shared_with`]
  ]
  const text = rules.map(
    ([actions, expression]) => `    - actions: [${actions}]
      effect: EFFECT_ALLOW
      roles: [user]
      condition: { match: { expr: '${expression}' } }`
  )
  return `apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: ${kind}
  version: default
  rules:
${text.join('\n')}
`
}
