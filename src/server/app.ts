import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
  fastify,
  LogController
} from 'fastify'
import type { FactsReader } from '../db/facts.js'
import type { Engine } from '../engine/engine.js'
import { ConfigError, InternalError } from '../errors/errors.js'
import type { ServerConfig } from './config.js'
import { createDecider, createStatelessDecider } from './decider.js'
import { createDriftWatch, type DriftWatch, type Look } from './drift-watch.js'
import { refusal } from './error-reply.js'
import type { Lister } from './lister.js'
import { requireApiKey } from './plugins/callers.js'
import { drainOnClose } from './plugins/drain.js'
import { replyToErrors } from './plugins/errors.js'
import { limitInFlight } from './plugins/in-flight.js'
import { acceptStrictJson } from './plugins/json.js'
import { trackRequests } from './plugins/requests.js'
import { authorizeRoutes } from './routes/authorize.js'
import { healthRoutes } from './routes/health.js'
import { listRoutes } from './routes/list.js'
import { shareReads } from './shared-facts.js'

/**
 * What a service is made of. It owns `facts` and `lister` from here on and closes them when it closes. Without `facts`
 * it is stateless: callers bring all facts with their questions.
 */
export interface AppOptions {
  readonly engine: Engine
  readonly facts: FactsReader | null
  /** Reads lists; without it there are none. */
  readonly lister?: Lister
  readonly config: Pick<
    ServerConfig,
    'apiKeys' | 'maxInFlight' | 'maxBatch' | 'factsTimeoutMs' | 'driftInterval' | 'logLevel'
  >
  /** Looks whether the database was changed by hand; without it, as for the embedded database, nobody does. */
  readonly look?: Look
  /** Where log lines go; by default to stderr, so that stdout stays with the command that starts the service. */
  readonly logger?: FastifyServerOptions['logger']
}

/** Bytes of a request body. */
const BODY_LIMIT = 1024 * 1024
/** A caller must have sent its headers, and its complete request, within these times. */
const HEADERS_TIMEOUT_MS = 5000
const REQUEST_TIMEOUT_MS = 10_000
/** Node looks for callers over those times this often; its own default, 30 s, would triple them. */
const TIMEOUT_CHECK_MS = 1000
/** A connection on which nothing moves during a request. */
const CONNECTION_TIMEOUT_MS = 30_000
/** Longer than the 60 s of common load balancers, so that they and not we end an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000
/** Shorter keys can be guessed or mistyped into; they work, because a demo wants one that can be read. */
const SHORT_KEY = 16

/**
 * Builds the service, in this order: what every request gets, then the health endpoints, which need no key, then the
 * decisions behind the key and the cap on requests in flight.
 *
 * @throws ConfigError when there is no API key
 */
export function buildApp({ engine, facts, lister, config, look, logger }: AppOptions): FastifyInstance {
  if (config.apiKeys.length === 0) {
    throw new ConfigError('TWR_CONFIG', 'TWINRULE_API_KEYS is not set', {
      hint: 'set it to one or more keys that callers present, separated by commas; `openssl rand -hex 32` makes one'
    })
  }
  const app = createApp(logger ?? { level: config.logLevel, stream: process.stderr })
  trackRequests(app)
  replyToErrors(app)
  acceptStrictJson(app)
  drainOnClose(
    app,
    [facts, lister].flatMap(one => one ?? [])
  )
  const drift = look === undefined ? null : watchDrift(app, look, config.driftInterval)
  healthRoutes(app, { facts, drift, revision: engine.revision, timeoutMs: config.factsTimeoutMs })
  app.register(async api => {
    requireApiKey(api, config.apiKeys)
    limitInFlight(api, config.maxInFlight)
    const decider =
      facts === null
        ? createStatelessDecider(engine)
        : createDecider(engine, shareReads(trusted(facts, drift)), config.factsTimeoutMs)
    authorizeRoutes(api, { decider, maxBatch: config.maxBatch })
    listRoutes(api, {
      isStateless: facts === null,
      lister,
      drift,
      revision: engine.revision,
      timeoutMs: config.factsTimeoutMs
    })
  })

  app.log.info({ revision: engine.revision, resources: engine.bundle.resources.length }, 'policies loaded')
  if (config.apiKeys.some(key => key.length < SHORT_KEY)) {
    app.log.warn(`TWINRULE_API_KEYS holds a key of fewer than ${SHORT_KEY} characters`)
  }
  return app
}

function watchDrift(app: FastifyInstance, look: Look, intervalS: number): DriftWatch {
  const watch = createDriftWatch({ look, intervalMs: intervalS * 1000, log: app.log })
  app.addHook('onReady', async () => watch.start())
  app.addHook('preClose', async () => watch.stop())
  return watch
}

/** safety: facts are not read through functions that somebody changed, or from tables that somebody opened. */
function trusted(facts: FactsReader, drift: DriftWatch | null): FactsReader {
  if (drift === null) return facts
  return {
    ...facts,
    async read(query, revision) {
      drift.refuseDecisions()
      return facts.read(query, revision)
    }
  }
}

function createApp(logger: NonNullable<FastifyServerOptions['logger']>): FastifyInstance {
  return fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: 'x-request-id',
    genReqId: () => randomUUID(),
    // the one line of a request has its id; a logger of its own would cost more than the decision
    childLoggerFactory: parent => parent,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // bodies are checked by the routes, and answers are text: Fastify's own compilers are a third of its start
    schemaController: { compilersFactory: { buildValidator: noSchema, buildSerializer: noSchema } },
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    // requests that arrive on an open connection while draining are still answered: the database is closed after them
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) =>
      refuseUrl(error, request.id, reply as unknown as FastifyReply),
    clientErrorHandler: refuseConnection
  })
}

/** safety: a schema on a route would be one that nothing checks */
function noSchema(): never {
  throw new InternalError('a route has a schema')
}

/** Answers a URL that cannot be read; no hook has run for it. */
function refuseUrl(error: Error, requestId: string, reply: FastifyReply): void {
  const { statusCode, body } = refusal(error)
  reply.header('x-request-id', requestId).header('cache-control', 'no-store')
  reply.code(statusCode).send(body)
}

/** Answers bytes that are no HTTP request; there is no request object yet, so this writes to the socket. */
function refuseConnection(error: Error & { code: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'TWR_REQUEST_TOO_LARGE', 'the headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'TWR_REQUEST_INVALID', 'the request did not arrive in time']
        : ['400 Bad Request', 'TWR_REQUEST_INVALID', 'the request is not valid HTTP']
  const body = JSON.stringify({ error: { code, message } })
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
  if (socket.writable) socket.write(`${head}\r\nConnection: close\r\n\r\n${body}`)
  socket.destroy(error)
}
