import { envSchema } from 'env-schema'
import { type Static, Type } from 'typebox'
import { ConfigError } from '../errors/errors.js'

/**
 * Every environment variable that the service reads, with its unit, range and default. Empty counts as not set,
 * because `VAR=` is how many deployment tools say "none".
 */
export const ENVIRONMENT = Type.Object({
  HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on; 0.0.0.0 for every one' }),
  PORT: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65535,
    description: 'Port to listen on; 0 takes a free one'
  }),
  LOG_LEVEL: Type.Enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
    default: 'info',
    description: 'Least level of a log line'
  }),
  DATABASE_URL: Type.Optional(
    Type.String({
      description: "PostgreSQL URL of the service's own login; without it, the embedded database"
    })
  ),
  TWINRULE_API_KEYS: Type.Optional(
    Type.String({ description: 'Keys that callers may present, separated by commas' })
  ),
  TWINRULE_MAX_IN_FLIGHT: Type.Integer({
    default: 64,
    minimum: 1,
    maximum: 100_000,
    description: 'Requests answered at once; the next one is told to come back (503)'
  }),
  TWINRULE_MAX_BATCH: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 100_000,
    description: 'Questions in one request'
  }),
  TWINRULE_POOL_SIZE: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 1000,
    description: 'Database connections; the embedded database always has one'
  }),
  TWINRULE_FACTS_TIMEOUT_MS: Type.Integer({
    default: 1000,
    minimum: 10,
    maximum: 60_000,
    description: 'Longest wait for the database before a request is answered with 503, in milliseconds'
  }),
  TWINRULE_ALLOW_OLD_POSTGRES: Type.Optional(
    Type.Enum(['1'], { description: '1 goes on with a server whose row-level security has known holes' })
  ),
  TWINRULE_DRIFT_INTERVAL: Type.Integer({
    default: 60,
    minimum: 0,
    maximum: 86_400,
    description:
      'Seconds between two looks whether the database was changed by hand; 0 for none but at the start'
  })
})

/** The settings of one service, read from the environment by `readConfig`. */
export interface ServerConfig {
  readonly host: string
  readonly port: number
  readonly logLevel: Static<typeof ENVIRONMENT>['LOG_LEVEL']
  readonly databaseUrl: string | undefined
  /** May be empty here: a demo makes its own key. `buildApp` refuses to go without one. */
  readonly apiKeys: readonly string[]
  readonly maxInFlight: number
  readonly maxBatch: number
  readonly poolSize: number
  readonly factsTimeoutMs: number
  readonly allowOldServer: boolean
  /** Seconds, 0 for none. */
  readonly driftInterval: number
}

/**
 * Reads the settings. Nothing is taken from the process but what the caller passes, so tests need no globals.
 *
 * @throws ConfigError naming the variable; never its value, which may be a secret
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ServerConfig {
  const known = Object.keys(ENVIRONMENT.properties).filter(name => (environment[name] ?? '').trim() !== '')
  const data = Object.fromEntries(known.map(name => [name, environment[name]?.trim()]))
  const values = checked(data)
  return Object.freeze({
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    databaseUrl: values.DATABASE_URL,
    apiKeys: readKeys(values.TWINRULE_API_KEYS ?? ''),
    maxInFlight: values.TWINRULE_MAX_IN_FLIGHT,
    maxBatch: values.TWINRULE_MAX_BATCH,
    poolSize: values.TWINRULE_POOL_SIZE,
    factsTimeoutMs: values.TWINRULE_FACTS_TIMEOUT_MS,
    allowOldServer: values.TWINRULE_ALLOW_OLD_POSTGRES === '1',
    driftInterval: values.TWINRULE_DRIFT_INTERVAL
  })
}

function checked(data: Record<string, unknown>): Static<typeof ENVIRONMENT> {
  try {
    return envSchema<Static<typeof ENVIRONMENT>>({ schema: ENVIRONMENT, data, env: false })
  } catch (error) {
    const [name, problem] = describe(error)
    const field = new Map<string, object>(Object.entries(ENVIRONMENT.properties)).get(name)
    const meaning = field !== undefined && 'description' in field ? { hint: String(field.description) } : {}
    throw new ConfigError('TWR_CONFIG', `${name} ${problem}`, meaning)
  }
}

/** The variable and what is wrong with it. ajv's messages name the rule, never the value. */
function describe(error: unknown): [string, string] {
  const found = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
  const [first] = found as { instancePath: string; message?: string; params: { allowedValues?: string[] } }[]
  const allowed = first?.params.allowedValues
  const problem = allowed ? `must be one of ${allowed.join(', ')}` : (first?.message ?? 'is not valid')
  return [first?.instancePath.slice(1) || 'environment', problem]
}

function readKeys(list: string): readonly string[] {
  const keys = list.split(',').map(key => key.trim())
  for (const key of keys) {
    // an HTTP header cannot carry such a key, so nobody could ever present it
    if (!/^[\x21-\x7e]*$/.test(key)) {
      throw new ConfigError(
        'TWR_CONFIG',
        'TWINRULE_API_KEYS holds a key with a space or a non-ASCII character',
        {
          hint: 'a key is visible ASCII; `openssl rand -hex 32` makes a good one'
        }
      )
    }
  }
  return Object.freeze([...new Set(keys)].filter(key => key !== ''))
}
