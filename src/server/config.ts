import { ConfigError } from '../errors/errors.js'

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

/** Every environment variable that the service reads, with its unit, range and default; null for none. */
export const ENVIRONMENT = {
  HOST: { default: '127.0.0.1', meaning: 'Address to listen on; 0.0.0.0 for every one' },
  PORT: { default: 8080, range: [0, 65_535], meaning: 'Port to listen on; 0 takes a free one' },
  LOG_LEVEL: { default: 'info', oneOf: LOG_LEVELS, meaning: 'Least level of a log line' },
  DATABASE_URL: {
    default: null,
    meaning: "PostgreSQL URL of the service's own login; without it, the embedded database"
  },
  TWINRULE_LIST_DATABASE_URL: {
    default: null,
    meaning: 'PostgreSQL URL of the login twinrule_app, by which lists are read; without it, there are none'
  },
  TWINRULE_CONTEXT_KEY: {
    default: null,
    meaning: 'Key that signs for whom a list is read, as `twinrule keys add` prints it'
  },
  TWINRULE_API_KEYS: { default: null, meaning: 'Keys that callers may present, separated by commas' },
  TWINRULE_MAX_IN_FLIGHT: {
    default: 64,
    range: [1, 100_000],
    meaning: 'Requests answered at once; the next one is told to come back (503)'
  },
  TWINRULE_MAX_BATCH: { default: 1000, range: [1, 100_000], meaning: 'Questions in one request' },
  TWINRULE_POOL_SIZE: {
    default: 10,
    range: [1, 1000],
    meaning: 'Database connections; the embedded database always has one'
  },
  TWINRULE_FACTS_TIMEOUT_MS: {
    default: 1000,
    range: [10, 60_000],
    meaning: 'Longest wait for the database before a request is answered with 503, in milliseconds'
  },
  TWINRULE_ALLOW_OLD_POSTGRES: {
    default: null,
    oneOf: ['1'],
    meaning: '1 goes on with a server whose row-level security has known holes'
  },
  TWINRULE_DRIFT_INTERVAL: {
    default: 60,
    range: [0, 86_400],
    meaning: 'Seconds between two looks whether the database was changed by hand; 0 for none but at the start'
  }
} as const

type Settings = typeof ENVIRONMENT
/** The variables that are whole numbers. */
type Whole = {
  [Name in keyof Settings]: Settings[Name] extends { range: unknown } ? Name : never
}[keyof Settings]

/** The settings of one service, read from the environment by `readConfig`. */
export interface ServerConfig {
  readonly host: string
  readonly port: number
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly databaseUrl: string | undefined
  readonly listDatabaseUrl: string | undefined
  readonly contextKey: string | undefined
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
 * Reads the settings. Nothing is taken from the process but what the caller passes, so tests need no globals. Empty counts
 * as not set, because `VAR=` is how many deployment tools say "none".
 *
 * @throws ConfigError naming the variable; never its value, which may be a secret
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ServerConfig {
  const text = (name: keyof Settings) => environment[name]?.trim() || null
  const whole = (name: Whole) => wholeNumber(name, text(name))
  return Object.freeze({
    host: text('HOST') ?? ENVIRONMENT.HOST.default,
    port: whole('PORT'),
    logLevel: oneOf('LOG_LEVEL', text('LOG_LEVEL')) ?? ENVIRONMENT.LOG_LEVEL.default,
    databaseUrl: text('DATABASE_URL') ?? undefined,
    listDatabaseUrl: text('TWINRULE_LIST_DATABASE_URL') ?? undefined,
    contextKey: text('TWINRULE_CONTEXT_KEY') ?? undefined,
    apiKeys: readKeys(text('TWINRULE_API_KEYS') ?? ''),
    maxInFlight: whole('TWINRULE_MAX_IN_FLIGHT'),
    maxBatch: whole('TWINRULE_MAX_BATCH'),
    poolSize: whole('TWINRULE_POOL_SIZE'),
    factsTimeoutMs: whole('TWINRULE_FACTS_TIMEOUT_MS'),
    allowOldServer: oneOf('TWINRULE_ALLOW_OLD_POSTGRES', text('TWINRULE_ALLOW_OLD_POSTGRES')) === '1',
    driftInterval: whole('TWINRULE_DRIFT_INTERVAL')
  })
}

function wholeNumber(name: Whole, text: string | null): number {
  const { default: without, range } = ENVIRONMENT[name]
  if (text === null) return without
  const [least, most] = range
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : null
  if (value === null) throw wrong(name, 'must be a whole number')
  if (value < least || value > most) throw wrong(name, `must be between ${least} and ${most}`)
  return value
}

function oneOf<Name extends 'LOG_LEVEL' | 'TWINRULE_ALLOW_OLD_POSTGRES'>(name: Name, text: string | null) {
  const known: readonly Settings[Name]['oneOf'][number][] = ENVIRONMENT[name].oneOf
  const found = known.find(one => one === text)
  if (text !== null && found === undefined) throw wrong(name, `must be one of ${known.join(', ')}`)
  return found
}

/** safety: never the value, which may be a secret in the wrong place */
function wrong(name: keyof Settings, problem: string): ConfigError {
  return new ConfigError('TWR_CONFIG', `${name} ${problem}`, { hint: ENVIRONMENT[name].meaning })
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
