import pg from 'pg'
import t from 'tap'
import { chooseTenant, type TenantHints, tenantPool, tenantQuery } from '../../src/client.js'
import { DEMO, demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'

const database = await demoDatabase(t, await exampleBundle())
const pool = new pg.Pool({ connectionString: database.url('twinrule_app'), max: 2 })
pool.on('error', () => {})
t.teardown(() => pool.end())
const tenants = tenantPool(pool, { key: TEST_KEY })
const baseDomain = 'Example.com'
const { acme, globex, initech, platform } = DEMO
const choose = (hints: TenantHints) => chooseTenant(tenants, hints, { baseDomain })

t.test('header, then subdomain, then cookie, then the own tenant of the user', async t => {
  const all = { header: acme, host: 'globex.example.com', cookie: initech, fallback: platform }
  t.strictSame(await choose(all), { tenantId: acme, method: 'header' })
  t.strictSame(await choose({ ...all, header: undefined }), { tenantId: globex, method: 'subdomain' })
  const { cookie, fallback } = all
  t.strictSame(await choose({ cookie, fallback }), { tenantId: initech, method: 'cookie' })
  t.strictSame(await choose({ fallback }), { tenantId: platform, method: 'fallback' })
  t.equal(await choose({}), null)
  t.equal(await choose({ fallback: null }), null)
  t.strictSame(await choose({ header: platform, fallback: platform }), {
    tenantId: platform,
    method: 'header'
  })
  t.strictSame(await choose({ header: acme.toUpperCase() }), { tenantId: acme, method: 'header' })
})

t.test('which hosts are a tenant', async t => {
  for (const host of [
    'acme.example.com',
    'ACME.Example.COM:8443',
    'acme.example.com.',
    '\uff41cme.example.com'
  ]) {
    t.strictSame(await choose({ host }), { tenantId: acme, method: 'subdomain' }, host)
  }
  const none = [
    'example.com',
    'www.example.com',
    'app.example.com',
    'api.example.com',
    'localhost:3000',
    '10.0.0.1'
  ]
  const others = ['[::1]:3000', '', 'acme.example.com.evil.net', 'acmeexample.com', 'acme.example.org']
  for (const host of [...none, ...others]) t.equal(await choose({ host }), null, host)
  t.equal(await chooseTenant(tenants, { host: 'acme.example.com' }), null, 'without a base domain none is')
  for (const host of ['nobody.example.com', 'a.acme.example.com', "x'--.example.com"]) {
    const refusal = { code: 'TWR_DB_NOT_MEMBER', statusCode: 403 }
    await t.rejects(choose({ host, fallback: acme }), refusal, host)
  }
  await t.rejects(chooseTenant(tenants, { host: 'a.b' }, { baseDomain: 'a b' }), { code: 'TWR_CONFIG' })
})

t.test('what names no tenant is refused, and never falls through to the next', async t => {
  for (const header of ['', 'acme', `${acme}, ${globex}`, [acme, globex], [acme], `${acme} `]) {
    await t.rejects(choose({ header, fallback: acme }), { code: 'TWR_REQUEST_INVALID', statusCode: 400 })
  }
  await t.rejects(choose({ cookie: 'acme', fallback: acme }), { code: 'TWR_REQUEST_INVALID' })
})

t.test('a choice gives no rights: strangers and tenants that are not there are refused alike', async t => {
  const asked = async (hints: TenantHints) => {
    const choice = await choose(hints)
    return tenantQuery(
      tenants,
      { userId: DEMO.gus, tenantId: choice?.tenantId ?? '' },
      'SELECT id FROM agents'
    )
  }
  t.equal((await asked({ header: globex })).rowCount, 3)
  const refusal = {
    code: 'TWR_DB_NOT_MEMBER',
    statusCode: 403,
    message: 'the user is no active member of an active tenant'
  }
  const absent = '99999999-9999-4999-8999-999999999999'
  for (const hints of [
    { header: acme },
    { cookie: acme },
    { header: absent },
    { host: 'acme.example.com' },
    { host: 'no.example.com' }
  ]) {
    await t.rejects(asked(hints), refusal)
  }
})
