import t from 'tap'
import { readConfig } from '../../src/server/config.js'

t.test('the defaults, and that empty is not set', async t => {
  const expected = {
    host: '127.0.0.1',
    port: 8080,
    logLevel: 'info',
    databaseUrl: undefined,
    listDatabaseUrl: undefined,
    contextKey: undefined,
    apiKeys: [],
    maxInFlight: 64,
    maxBatch: 1000,
    poolSize: 10,
    factsTimeoutMs: 1000,
    allowOldServer: false,
    driftInterval: 60
  }
  t.strictSame(readConfig({}), expected)
  t.strictSame(readConfig({ PORT: '', HOST: ' ', TWINRULE_API_KEYS: '', PATH: '/bin' }), expected)
})

t.test('every setting is read', async t => {
  const config = readConfig({
    HOST: '0.0.0.0',
    PORT: '9123',
    LOG_LEVEL: 'warn',
    DATABASE_URL: 'postgres://x',
    TWINRULE_LIST_DATABASE_URL: 'postgres://y',
    TWINRULE_CONTEXT_KEY: 'a:b',
    TWINRULE_API_KEYS: 'a, b,,a ',
    TWINRULE_MAX_IN_FLIGHT: '1',
    TWINRULE_MAX_BATCH: '2',
    TWINRULE_POOL_SIZE: '3',
    TWINRULE_FACTS_TIMEOUT_MS: '400',
    TWINRULE_ALLOW_OLD_POSTGRES: '1',
    TWINRULE_DRIFT_INTERVAL: '0'
  })
  t.strictSame(config, {
    host: '0.0.0.0',
    port: 9123,
    logLevel: 'warn',
    databaseUrl: 'postgres://x',
    listDatabaseUrl: 'postgres://y',
    contextKey: 'a:b',
    apiKeys: ['a', 'b'],
    maxInFlight: 1,
    maxBatch: 2,
    poolSize: 3,
    factsTimeoutMs: 400,
    allowOldServer: true,
    driftInterval: 0
  })
})

t.test('a bad value names its variable and never itself', async t => {
  const bad: [name: string, value: string][] = [
    ['PORT', 'eighty'],
    ['PORT', '80.5'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['LOG_LEVEL', 'loud'],
    ['TWINRULE_MAX_IN_FLIGHT', '0'],
    ['TWINRULE_MAX_BATCH', 'many'],
    ['TWINRULE_POOL_SIZE', '1e9'],
    ['TWINRULE_FACTS_TIMEOUT_MS', '5'],
    ['TWINRULE_ALLOW_OLD_POSTGRES', 'yes'],
    ['TWINRULE_API_KEYS', 'good,with space'],
    ['TWINRULE_API_KEYS', 'schl\u00fcssel']
  ]
  for (const [name, value] of bad) {
    t.throws(
      () => readConfig({ [name]: value }),
      { code: 'TWR_CONFIG', message: new RegExp(`^${name} `), hint: String },
      value
    )
    try {
      readConfig({ [name]: value })
    } catch (error) {
      if (name === 'TWINRULE_API_KEYS') t.notMatch(String(error), value)
    }
  }
})
