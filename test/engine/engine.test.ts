import t from 'tap'
import { createEngine, type Engine } from '../../src/engine/engine.js'
import type { DecisionRequest } from '../../src/engine/request.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'

const tenant = (n: string): string => `00000000-0000-0000-0000-${n.padStart(12, '0')}`
const ROW = {
  name: 'Helper',
  tenant_id: tenant('a'),
  is_shared: false,
  sharing_mode: 'private',
  shared_with: [],
  resource_type: 'custom'
}

async function example(): Promise<Engine> {
  const { bundle } = await loadFolder('policies')
  if (bundle === null) throw new Error('the example does not load')
  return createEngine(bundle)
}

function request(change: {
  readonly principal?: Record<string, unknown>
  readonly action?: string
  readonly changes?: unknown
  readonly row?: Record<string, unknown>
  readonly type?: string
  readonly id?: string
  readonly subject?: string
  readonly subjectType?: string
}): DecisionRequest {
  return {
    subject: {
      type: change.subjectType ?? 'user',
      id: change.subject ?? tenant('99'),
      properties: { tenant_id: tenant('a'), is_platform_admin: false, ...change.principal }
    },
    action: {
      name: change.action ?? 'read',
      ...(change.changes === undefined ? {} : { properties: { changes: change.changes } })
    },
    resource: {
      type: change.type ?? 'agent',
      id: change.id ?? tenant('1'),
      properties: { ...ROW, ...change.row }
    }
  }
}

t.test('the deciding rule is named, the first by id when several allow', async t => {
  const engine = await example()
  const rule = (change: Parameters<typeof request>[0]) => engine.decide(request(change)).context.rule
  t.equal(rule({}), 'owner')
  t.equal(rule({ principal: { is_platform_admin: true } }), 'owner')
  t.equal(rule({ principal: { is_platform_admin: true, tenant_id: tenant('b') } }), 'platform-admin')
  t.equal(rule({ row: { is_shared: true, sharing_mode: 'global' } }), 'global')
  t.equal(rule({ principal: { tenant_id: tenant('b') } }), null)
  t.equal(
    rule({
      principal: { tenant_id: tenant('b') },
      row: { is_shared: true, sharing_mode: 'selective', shared_with: [tenant('B')] }
    }),
    'selective'
  )
})

t.test('an update is asked of the row as it is and as it would become', async t => {
  const engine = await example()
  const update = (changes: unknown, more: Parameters<typeof request>[0] = {}) =>
    engine.decide(request({ action: 'update', changes, ...more })).context.code
  t.equal(update(undefined), 'allowed')
  t.equal(update({}), 'allowed')
  t.equal(update({ is_shared: true, sharing_mode: 'selective', shared_with: [tenant('b')] }), 'allowed')
  t.equal(update({ tenant_id: tenant('b') }), 'no_rule', 'a row is not given away')
  t.equal(update({ sharing_mode: 'global' }), 'no_rule', 'a tenant does not publish to everyone')
  t.equal(update({ resource_type: 'platform' }), 'no_rule', 'nor in the name of the platform')
  t.equal(update({ tenant_id: null }), 'invalid_attribute', 'a NOT NULL column stays')
  t.equal(update({ tenantId: tenant('b') }), 'unknown_attribute', 'a misspelt column is not "no change"')
  t.equal(update([]), 'invalid_attribute')
  t.equal(update('x'), 'invalid_attribute')
  t.equal(update({ shared_with: ['x'] }), 'invalid_attribute')
  t.equal(update({ tenant_id: tenant('b') }, { principal: { is_platform_admin: true } }), 'allowed')
})

t.test('a create is asked of the new row', async t => {
  const engine = await example()
  const create = (row: Record<string, unknown>) =>
    engine.decide(request({ action: 'create', row })).context.code
  t.equal(create({}), 'allowed')
  t.equal(create({ tenant_id: tenant('b') }), 'no_rule')
  t.equal(create({ sharing_mode: 'global' }), 'no_rule')
  t.equal(create({ tenant_id: undefined }), 'invalid_attribute')
})

t.test('whatever is unknown denies and says so', async t => {
  const engine = await example()
  const code = (change: Parameters<typeof request>[0]) => {
    const { decision, context } = engine.decide(request(change))
    t.equal(decision, false)
    t.equal(context.rule, null)
    t.equal(context.revision, engine.revision)
    return context.code
  }
  t.equal(code({ type: 'agents' }), 'unknown_type')
  t.equal(code({ type: '__proto__' }), 'unknown_type')
  t.equal(code({ type: 'constructor' }), 'unknown_type')
  t.equal(code({ type: 'all' }), 'unknown_type')
  t.equal(code({ action: 'manage' }), 'unknown_action')
  t.equal(code({ action: 'update_new' }), 'unknown_action')
  t.equal(code({ action: 'toString' }), 'unknown_action')
  t.equal(code({ subjectType: 'service' }), 'unknown_subject_type')
  t.equal(code({ subject: 'ada' }), 'unknown_subject')
  t.equal(code({ subject: '' }), 'unknown_subject')
  t.equal(code({ principal: { tenant_id: null } }), 'no_rule')
})

t.test('values that are not of their type never allow', async t => {
  const engine = await example()
  const admin = { is_platform_admin: true }
  const cases: readonly Parameters<typeof request>[0][] = [
    { principal: { tenant_id: { $ne: null } } },
    { principal: { tenant_id: [tenant('a')] } },
    { principal: { is_platform_admin: 'true' } },
    { principal: { is_platform_admin: 1 } },
    { principal: { is_platform_admin: [true] } },
    { principal: admin, row: { tenant_id: [tenant('a'), tenant('b')] } },
    { principal: admin, row: { is_shared: 'false' } },
    { principal: admin, row: { sharing_mode: 'GLOBAL' } },
    { principal: admin, row: { shared_with: tenant('b') } },
    { principal: admin, row: { shared_with: [[tenant('b')]] } },
    { principal: admin, row: { shared_with: { length: 1, 0: tenant('b') } } },
    { principal: admin, row: { tenant_id: '{00000000-0000-0000-0000-00000000000a}' } },
    { principal: admin, row: { id: tenant('2') } },
    { principal: admin, id: 'not-a-uuid' }
  ]
  for (const change of cases) {
    const { decision, context } = engine.decide(request(change))
    t.same([decision, context.code], [false, 'invalid_attribute'], JSON.stringify(change))
    t.notMatch(context.reason, /0000/, 'the reason shows no value')
  }
})

t.test('a row cannot choose its own type, and inherited properties were not sent', async t => {
  const engine = await example()
  const type = { __caslSubjectType__: 'nothing', constructor: { modelName: 'nothing' }, type: 'tool' }
  t.equal(engine.decide(request({ row: type })).context.rule, 'owner')
  const inherited = Object.create({ ...ROW })
  const { context } = engine.decide({
    ...request({}),
    resource: { type: 'agent', id: tenant('1'), properties: inherited }
  })
  t.equal(context.code, 'invalid_attribute')
})

t.test('upper case uuids are the same uuids', async t => {
  const engine = await example()
  const { decision } = engine.decide(
    request({ principal: { tenant_id: tenant('A') }, row: { tenant_id: tenant('a') } })
  )
  t.ok(decision)
})

t.test('without an id there is no principal, whatever a rule says', async t => {
  const text =
    'version: 1\nprincipal: { id: uuid }\nresources: { doc: { rules: { all: { allow: [read], when: "true" } } } }\n'
  const { bundle } = loadTexts({ 'p.yaml': text })
  if (bundle === null) throw new Error('does not load')
  const engine = createEngine(bundle)
  const asked = (id: unknown) =>
    engine.decide({
      subject: { type: 'user', id: id as string },
      action: { name: 'read' },
      resource: { type: 'doc', id: 'x' }
    })
  t.equal(asked(tenant('1')).context.code, 'allowed')
  t.equal(asked(undefined).context.code, 'no_rule')
})

t.test('int8 is exact beyond 2^53', async t => {
  const text = `version: 1
principal: { id: uuid }
resources:
  doc: { columns: { n: int }, rules: { big: { allow: [read], when: resource.n == 9007199254740993 } } }
`
  const { bundle } = loadTexts({ 'p.yaml': text })
  if (bundle === null) throw new Error('does not load')
  const engine = createEngine(bundle)
  const asked = (n: unknown) =>
    engine.decide({
      subject: { type: 'user', id: tenant('1') },
      action: { name: 'read' },
      resource: { type: 'doc', id: 'x', properties: { n } }
    }).context.code
  t.equal(asked('9007199254740993'), 'allowed')
  t.equal(asked('9007199254740992'), 'no_rule')
  t.equal(asked(9007199254740992), 'invalid_attribute', 'a rounded number is no int')
  t.equal(asked(1.5), 'invalid_attribute')
  t.equal(asked('1e3'), 'invalid_attribute')
  t.equal(asked('9223372036854775808'), 'invalid_attribute')
})

t.test(
  'types with the same rules are decided alike, types whose rules differ in one value are not',
  async t => {
    const resource = (n: string, rule = 'some') =>
      `{ columns: { n: int, s: text }, rules: { ${rule}: { allow: [read], when: resource.n == ${n} } } }`
    const text = `version: 1
principal: { id: uuid }
resources:
  first: ${resource('9007199254740993')}
  same: ${resource('9007199254740993')}
  wider: ${resource('9007199254740992')}
  renamed: ${resource('9007199254740993', 'other')}
  text: { columns: { n: int, s: text }, rules: { some: { allow: [read], when: resource.s == "9007199254740993" } } }
`
    const { bundle } = loadTexts({ 'p.yaml': text })
    if (bundle === null) throw new Error('does not load')
    const engine = createEngine(bundle)
    const asked = (type: string, properties: Record<string, unknown>) =>
      engine.decide({
        subject: { type: 'user', id: tenant('1') },
        action: { name: 'read' },
        resource: { type, id: 'x', properties: { n: null, s: null, ...properties } }
      }).context
    for (const [type, rule] of [
      ['first', 'some'],
      ['same', 'some'],
      ['wider', null],
      ['renamed', 'other'],
      ['text', null]
    ] as const) {
      const { reason, ...context } = asked(type, { n: '9007199254740993' })
      t.match(context, { code: rule === null ? 'no_rule' : 'allowed', rule })
      t.match(reason, new RegExp(`\\b${type}\\b`), 'the answer is about the type that was asked for')
    }
    t.equal(asked('text', { s: '9007199254740993' }).code, 'allowed')
    t.equal(asked('other', { n: '9007199254740993' }).code, 'unknown_type')
  }
)

const WHOLE = `version: 1
actions: { publish: { command: update }, invoke: {} }
principal: { id: uuid, tenant_id: uuid, roles: set<text> }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  doc:
    columns: { id: uuid!, tenant_id: uuid!, owner_id: uuid, locked: bool, ends_at: timestamptz, tags: set<text> }
    immutable: [id]
    column_rules:
      - { columns: [tenant_id, tags], when: '"editor" in principal.roles' }
      - { columns: [tags], when: resource.owner_id == principal.id }
    rules:
      mine: { allow: [read, update, create], when: mine, check: 'true' }
      publisher: { allow: [publish], when: '"publisher" in principal.roles' }
      caller: { allow: [invoke], when: resource.ends_at > now }
      locked: { forbid: [update, invoke], when: resource.locked }
`

t.test('forbids, column rules, added actions and time', async t => {
  const { bundle, problems } = loadTexts({ 'p.yaml': WHOLE })
  if (bundle === null) throw new Error(String(problems))
  const engine = createEngine(bundle, { clock: () => Date.UTC(2026, 0, 1) * 1000 })
  const me = tenant('99')
  const row = { tenant_id: tenant('a'), owner_id: me, locked: false, ends_at: null, tags: ['a'] }
  const ask = (name: string, more: { row?: object; roles?: string[]; changes?: object } = {}) => {
    const { decision, context } = engine.decide({
      subject: { type: 'user', id: me, properties: { tenant_id: tenant('a'), roles: more.roles ?? [] } },
      action: { name, ...(more.changes ? { properties: { changes: more.changes } } : {}) },
      resource: { type: 'doc', id: tenant('1'), properties: { ...row, ...more.row } }
    })
    return decision ? `allowed ${context.rule}` : `${context.code} ${context.rule}`
  }
  t.equal(ask('update'), 'allowed mine')
  t.equal(ask('update', { row: { locked: true } }), 'forbidden locked')
  t.equal(ask('update', { row: { locked: null } }), 'forbidden locked', 'a forbid counts unless it is false')
  t.equal(
    ask('update', { changes: { locked: true } }),
    'forbidden locked',
    'also of the row as it would become'
  )
  t.equal(ask('read', { row: { locked: true } }), 'allowed mine')
  t.equal(ask('update', { changes: { id: tenant('2') } }), 'immutable_column null')
  t.equal(
    ask('update', { changes: { tenant_id: tenant('b') } }),
    'no_rule null',
    'the new row must be readable too'
  )
  t.equal(ask('update', { changes: { tags: ['a', 'b'] } }), 'column_rule null')
  t.equal(ask('update', { changes: { tags: ['a', 'b'] }, roles: ['editor'] }), 'allowed mine')
  t.equal(
    ask('update', { changes: { tags: ['b'] }, roles: ['editor'], row: { owner_id: null } }),
    'column_rule null'
  )
  t.equal(ask('update', { changes: { tags: ['a'] } }), 'allowed mine', 'the same value is no change')
  t.equal(ask('publish'), 'no_rule null')
  t.equal(ask('publish', { roles: ['publisher'] }), 'allowed publisher')
  t.equal(
    ask('publish', { roles: ['publisher'], row: { locked: true } }),
    'forbidden locked',
    'its command is needed too'
  )
  t.equal(ask('publish', { roles: ['publisher'], changes: { tags: [] } }), 'column_rule null')
  t.equal(ask('invoke'), 'no_rule null', 'a time that is not there is not later than now')
  t.equal(ask('invoke', { row: { ends_at: '2026-01-01T01:00:00+01:00' } }), 'no_rule null')
  t.equal(ask('invoke', { row: { ends_at: '2026-01-01T00:00:00.000001Z' } }), 'allowed caller')
  t.equal(ask('invoke', { row: { ends_at: 'infinity' } }), 'allowed caller')
  t.equal(ask('invoke', { row: { ends_at: '2026-02-30T00:00:00Z' } }), 'invalid_attribute null')
  t.equal(ask('invoke', { row: { ends_at: '2026-01-02' } }), 'invalid_attribute null')
  t.equal(ask('evict'), 'unknown_action null')
})

t.test('related rows are part of the row, and unknown ones are not none', async t => {
  const text = `version: 1
principal: { id: uuid, tenant_id: uuid }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  folder: { columns: { id: uuid!, tenant_id: uuid! }, rules: { r: { allow: [read], when: mine } } }
  doc:
    columns: { id: uuid!, folder_id: uuid }
    relations:
      folder: { one: folder }
      shares: { many: shares, columns: { user_id: uuid, level: text } }
    rules:
      inherited: { allow: [read, update], when: 'resource.folder.can("read")' }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.user_id == principal.id && s.level == "read")' }
      blocked: { forbid: [read], when: 'resource.shares.exists(s, s.user_id == principal.id && s.level == "none")' }
`
  const { bundle, problems } = loadTexts({ 'p.yaml': text })
  if (bundle === null) throw new Error(String(problems))
  const engine = createEngine(bundle)
  const me = tenant('99')
  const mine = { id: tenant('5'), tenant_id: tenant('a') }
  const ask = (row: object, changes?: object) => {
    const { decision, context } = engine.decide({
      subject: { type: 'user', id: me, properties: { tenant_id: tenant('a') } },
      action: changes === undefined ? { name: 'read' } : { name: 'update', properties: { changes } },
      resource: { type: 'doc', id: tenant('1'), properties: { folder_id: tenant('5'), ...row } }
    })
    return decision ? `allowed ${context.rule}` : `${context.code} ${context.rule}`
  }
  const share = (level: string | null, user: string | null = me) => ({
    doc_id: tenant('1'),
    user_id: user,
    level
  })
  t.equal(ask({ folder: mine, shares: [] }), 'allowed inherited')
  t.equal(ask({ folder: [mine], shares: [] }), 'allowed inherited')
  t.equal(ask({ folder: { ...mine, tenant_id: tenant('b') }, shares: [] }), 'no_rule null')
  t.equal(ask({ folder: null, shares: [share('read')] }), 'allowed shared')
  t.equal(
    ask({ folder: null, shares: [share('read', tenant('1')), share('list')] }),
    'no_rule null',
    'one row must have both'
  )
  t.equal(ask({ folder: mine, shares: [share('none')] }), 'forbidden blocked')
  t.equal(
    ask({ folder: mine, shares: [share(null)] }),
    'forbidden blocked',
    'a level that is not known may be "none"'
  )
  t.equal(ask({ folder: mine }), 'invalid_attribute null', 'rows that were not sent are unknown')
  t.equal(ask({ folder: mine, shares: {} }), 'invalid_attribute null')
  t.equal(ask({ folder: mine, shares: ['x'] }), 'invalid_attribute null')
  t.equal(ask({ folder: [mine, mine], shares: [] }), 'invalid_attribute null', 'one is one')
  t.equal(ask({ folder: { id: tenant('5') }, shares: [] }), 'invalid_attribute null')
  t.equal(
    ask({ folder: { ...mine, id: tenant('6') }, shares: [] }),
    'invalid_attribute null',
    'the row of another key'
  )
  t.equal(ask({ folder_id: null, folder: mine, shares: [] }), 'invalid_attribute null')
  const row = { folder: mine, shares: [] }
  t.equal(ask(row, {}), 'allowed inherited')
  t.equal(ask(row, { folder_id: tenant('6') }), 'invalid_attribute null', 'another folder is not known')
  t.equal(ask(row, { folder_id: tenant('6'), folder: null }), 'no_rule null')
  t.equal(ask(row, { folder_id: tenant('6'), folder: { ...mine, id: tenant('6') } }), 'allowed inherited')
})
