import { createMongoAbility } from '@casl/ability'
import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import { loadPolicies } from '../../src/policy/load.js'

const T = (n: string): string => `00000000-0000-0000-0000-00000000000${n}`
const ROW = {
  id: T('1'),
  name: 'x',
  tenant_id: T('a'),
  is_shared: false,
  sharing_mode: 'private',
  shared_with: [],
  resource_type: 'custom'
}

async function example() {
  const { bundle } = await loadPolicies('policies')
  if (bundle === null) throw new Error('the example does not load')
  return createEngine(bundle)
}

t.test('an ability answers for rows of the engine and for nothing else', async t => {
  const engine = await example()
  const ability = engine.abilityFor({ id: T('9'), tenant_id: T('A') })
  const row = engine.row('agent', ROW)
  t.ok(ability.can('read', row))
  t.ok(ability.can('update', row))
  t.notOk(ability.can('update_new', engine.row('agent', { ...ROW, tenant_id: T('b') })))
  t.notOk(ability.can('read', engine.row('agent', { ...ROW, tenant_id: T('b') })))
  t.notOk(ability.can('read', 'agent'), 'a type without a row')
  t.notOk(ability.can('read', { ...row }), 'a copy of a row')
  t.notOk(ability.can('read', { ...ROW, __caslSubjectType__: 'agent' }), 'an object that says what it is')
  t.notOk(ability.can('manage', row))
  t.throws(() => Object.assign(row, { tenant_id: T('b') }), 'a row does not change')
})

t.test('attributes and rows are checked before CASL sees them', async t => {
  const engine = await example()
  const invalid = { code: 'TWR_REQUEST_INVALID' }
  t.throws(() => engine.abilityFor({ id: T('9'), tenant_id: { $ne: null } }), invalid)
  t.throws(() => engine.abilityFor({ id: 'x' }), invalid)
  t.throws(() => engine.row('agent', { ...ROW, shared_with: 'x' }), invalid)
  t.throws(() => engine.row('agents', ROW), invalid)
})

t.test('the packed rules decide the same in a browser', async t => {
  const engine = await example()
  const packed = JSON.parse(
    JSON.stringify(engine.abilityFor({ id: T('9'), tenant_id: T('b') }).portableRules)
  )
  const browser = createMongoAbility(packed, { detectSubjectType: () => 'agent' })
  const shared = { ...ROW, is_shared: true, sharing_mode: 'selective', shared_with: [T('b')] }
  t.ok(browser.can('read', shared))
  t.notOk(browser.can('update', shared))
  t.notOk(browser.can('read', ROW))
})
