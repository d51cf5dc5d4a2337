import t, { type Test } from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import { loadTexts } from '../../src/policy/load.js'
import { agent, engine, headers, post, question, service, stored, tenants, users } from './service.js'

const stateless = (t: Test, over = engine) => service(t, { facts: null, engine: over })

const passed = { tenant_id: tenants.globex, is_platform_admin: false }
const { deleted_at: _, ...columns } = { ...stored(2), deleted_at: undefined }
const row = { ...columns, deleted_at: null }

/** Gus of globex asks about agent 2 of acme, which is shared with globex; everything he needs comes with it. */
function asks(action = 'read', subject: object = passed, resource: object = row, changes?: object) {
  return {
    subject: { type: 'user', id: users.gus, properties: subject },
    action: { name: action, ...(changes === undefined ? {} : { properties: { changes } }) },
    resource: { type: 'agent', id: agent(2), properties: resource }
  }
}

async function answer(t: Test, body: object) {
  const { status, body: reply } = await post(stateless(t), body)
  t.equal(status, 200)
  return { decision: reply.decision, ...reply.context } as { decision: boolean; code: string; reason: string }
}

t.test('what is sent decides', async t => {
  t.match(await answer(t, asks()), { decision: true, rule: 'selective', revision: engine.revision })
  t.match(await answer(t, asks('update')), { decision: false, code: 'no_rule' })
  const admin = { ...passed, is_platform_admin: true }
  t.match(await answer(t, asks('update', admin)), { decision: true, rule: 'platform-admin' })
  const acme = { ...passed, tenant_id: tenants.acme }
  t.match(await answer(t, asks('update', acme, row, { name: 'x' })), { decision: true, rule: 'owner' })
  const published = asks('update', acme, row, { sharing_mode: 'global' })
  t.match(await answer(t, published), { decision: false, code: 'no_rule' })
  t.match(await answer(t, asks('create', acme)), { decision: true, rule: 'owner' })
})

t.test('an attribute that is missing, unknown or of another type denies by name', async t => {
  const { is_shared: shared, ...without } = row
  const { deleted_at: deleted, ...undeleted } = row
  t.ok(shared && deleted === null)
  const cases: [subject: object, resource: object, code: string, reason: string][] = [
    [{}, row, 'invalid_attribute', 'subject.is_platform_admin is missing'],
    [{ ...passed, tenant_id: null }, row, 'invalid_attribute', 'subject.tenant_id is missing'],
    [{ tenant_id: tenants.acme }, row, 'invalid_attribute', 'subject.is_platform_admin is missing'],
    [{ ...passed, is_platform_admin: 'true' }, row, 'invalid_attribute', 'subject.is_platform_admin: '],
    [{ ...passed, is_platform_admin: { $ne: null } }, row, 'invalid_attribute', 'subject.is_platform_admin'],
    [{ ...passed, tenant_id: { $ne: null } }, row, 'invalid_attribute', 'subject.tenant_id: expected uuid'],
    [{ ...passed, tenant_id: [tenants.acme] }, row, 'invalid_attribute', 'subject.tenant_id: expected uuid'],
    [{ ...passed, is_admin: true }, row, 'unknown_attribute', 'subject.properties holds'],
    [{ ...passed, id: users.root }, row, 'unknown_attribute', 'subject.properties holds'],
    [{ ...passed, tenant_type: 'client' }, row, 'lookup_attribute', 'subject.tenant_type has source: lookup'],
    [passed, {}, 'invalid_attribute', 'resource.created_by_user_id is missing'],
    [passed, without, 'invalid_attribute', 'resource.is_shared is missing'],
    // a column that may be null, left out: `deleted_at == null` must not hold of it
    [passed, undeleted, 'invalid_attribute', 'resource.deleted_at is missing'],
    [passed, { ...row, deletd_at: null }, 'unknown_attribute', 'resource.properties holds'],
    [passed, { ...row, is_shared: 1 }, 'invalid_attribute', 'resource.is_shared: expected bool'],
    [passed, { ...row, shared_with: { $ne: null } }, 'invalid_attribute', 'resource.shared_with: expected'],
    [passed, { ...row, shared_with: ['x'] }, 'invalid_attribute', 'resource.shared_with: expected'],
    [passed, { ...row, sharing_mode: 'all' }, 'invalid_attribute', 'resource.sharing_mode: expected'],
    [passed, { ...row, id: agent(1) }, 'invalid_attribute', 'resource.properties.id is not resource.id']
  ]
  for (const [subject, resource, code, reason] of cases) {
    const got = await answer(t, asks('read', subject, resource))
    t.match(got, { decision: false, code }, reason)
    t.ok(got.reason.startsWith(reason), got.reason)
  }
  t.match(await answer(t, question(users.root, 'read', 1)), { decision: false, code: 'invalid_attribute' })
  const changes = asks('update', { ...passed, is_platform_admin: true }, row, { is_sharde: true })
  t.match(await answer(t, changes), { decision: false, code: 'unknown_attribute' })
  const nobody = { ...asks(), subject: { type: 'user', id: "' OR 1=1", properties: passed } }
  t.match(await answer(t, nobody), { decision: false, code: 'unknown_subject' })
})

t.test('names that mean something to JavaScript are refused or unknown', async t => {
  const app = stateless(t)
  for (const name of ['__proto__', 'constructor']) {
    const subject = JSON.stringify(passed).replace('{', `{"${name}":{"is_platform_admin":true},`)
    const body = JSON.stringify(asks()).replace(JSON.stringify(passed), subject)
    t.match(await post(app, body), { status: 400, body: { error: { code: 'TWR_REQUEST_INVALID' } } }, name)
  }
  for (const name of ['toString', 'hasOwnProperty', 'valueOf']) {
    const sent = await answer(t, asks('read', { ...passed, [name]: true }))
    t.match(sent, { decision: false, code: 'unknown_attribute' }, name)
    const action = await answer(t, { ...asks(), action: { name } })
    t.match(action, { decision: false, code: 'unknown_action' }, name)
  }
})

t.test('each item of a batch has facts of its own', async t => {
  const { subject, action, resource } = asks()
  const { body } = await post(stateless(t), {
    subject,
    action,
    evaluations: [
      { resource },
      { resource, action: { name: 'update' } },
      { resource, subject: { type: 'user', id: users.gus } },
      { resource: { type: 'agent', id: agent(2) } },
      {}
    ]
  })
  const answers = body.evaluations as { decision: boolean; context: { code: string } }[]
  t.strictSame(
    answers.map(one => one.context.code),
    ['allowed', 'no_rule', 'invalid_attribute', 'invalid_attribute', 'invalid_request']
  )
  t.strictSame(
    answers.map(one => one.decision),
    [true, false, false, false, false]
  )
  const first = { subject, action, resource, evaluations: [{ action: { name: 'delete' } }, {}] }
  const ended = await post(stateless(t), {
    ...first,
    options: { evaluations_semantic: 'deny_on_first_deny' }
  })
  t.equal(ended.body.evaluations.length, 1)
})

t.test('only callers with a key may bring facts', async t => {
  const app = stateless(t)
  // what an end user would carry: a token of their own
  for (const authorization of ['', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.', 'Basic dGVzdC1rZXk=']) {
    const sent = { ...headers, authorization }
    const reply = await app.inject({ method: 'POST', url: '/authorize', headers: sent, payload: asks() })
    t.equal(reply.statusCode, 401, String(authorization))
  }
})

t.test('it is ready without a database', async t => {
  const { statusCode, body } = await stateless(t).inject('/health/ready')
  t.strictSame([statusCode, JSON.parse(body)], [200, { status: 'ready', revision: engine.revision }])
})

const RELATED = `version: 1
principal:
  id: uuid
  tenant_id: { type: uuid, source: lookup }
  tenant_status: text
  is_admin: { type: bool, role: authz_admin, source: lookup }
  is_editor: { type: bool, role: authz_editor }
resources:
  note:
    columns: { id: uuid!, open: bool!, title: text }
    relations: { shares: { many: note_shares, columns: { user_id: uuid!, note: text } } }
    column_rules: [{ columns: [title], when: principal.is_admin }]
    rules:
      open: { allow: [read, update], when: resource.open || principal.is_editor }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.user_id == principal.id)' }
      mine: { forbid: [delete], when: principal.tenant_id == null }
      all: { allow: [delete], when: 'true' }
`

t.test('what only a database can say denies, and says so', async t => {
  const { bundle, problems } = loadTexts({ 'a.yaml': RELATED })
  if (bundle === null) throw new Error(problems.join('\n'))
  const app = stateless(t, createEngine(bundle))
  const note = agent(1)
  const share = { note_id: note, user_id: users.gus, note: null }
  const subject = { tenant_status: 'active', is_editor: false }
  const ask = async (name: string, properties: object, of: object = subject, changes: object = {}) => {
    const { body } = await post(app, {
      subject: { type: 'user', id: users.gus, properties: of },
      action: { name, properties: { changes } },
      resource: { type: 'note', id: note, properties }
    })
    return `${body.context.code} ${body.context.reason}`
  }
  const closed = { open: false, title: null, shares: [share] }
  t.match(await ask('read', closed), /^allowed .* shared /)
  t.match(await ask('read', { ...closed, shares: [] }), /^no_rule /)
  t.match(await ask('read', { ...closed, shares: undefined }), /^invalid_attribute .* rows are missing$/)
  t.match(await ask('read', { ...closed, shares: [{ ...share, role: 'x' }] }), /^unknown_attribute /)
  t.match(
    await ask('read', { ...closed, shares: [{ ...share, note: undefined }] }),
    /shares\.note is missing$/
  )
  t.match(await ask('read', { ...closed, shares: 'x' }), /^invalid_attribute .* rows are missing$/)
  t.match(await ask('read', closed, { ...subject, tenant_status: 'suspended' }), /^not_a_member /)
  t.match(await ask('read', closed, { ...subject, tenant_status: 1 }), /^invalid_attribute /)
  t.match(await ask('read', closed, { ...subject, tenant_id: tenants.acme }), /^lookup_attribute /)
  t.match(
    await ask('update', { ...closed, open: true }),
    /^lookup_attribute .* subject\.is_admin, /,
    'a column rule'
  )
  t.match(await ask('delete', closed), /^lookup_attribute .* subject\.tenant_id, /, 'a forbid rule')
  t.match(await ask('read', closed, { ...subject, is_admin: true }), /^lookup_attribute /)
  const moved = { shares: [{ ...share, role: 'x' }] }
  t.match(await ask('read', closed, subject, moved), /^unknown_attribute action\.properties\.changes\.shares/)
})
