import t from 'tap'
import { agent, engine, fakeFacts, post, question, service, stored, tenants, users } from './service.js'

const TABLE: [user: keyof typeof users, read: string, update: string][] = [
  ['ada', 'yyyn', 'yynn'],
  ['gus', 'nyyy', 'nnny'],
  ['ivy', 'nnyn', 'nnnn'],
  ['root', 'yyyy', 'yyyy']
]
const CELLS = TABLE.flatMap(([user, read, update]) =>
  [1, 2, 3, 4].flatMap(n => [
    { user, n, action: 'read', expected: read[n - 1] === 'y' },
    { user, n, action: 'update', expected: update[n - 1] === 'y' }
  ])
)

t.test('the demo table, one by one and as one batch, with one read of the facts each', async t => {
  const facts = fakeFacts()
  const app = service(t, { facts })
  for (const { user, n, action, expected } of CELLS) {
    const { status, body } = await post(app, question(users[user], action, n))
    t.equal(status, 200)
    t.equal(body.decision, expected, `${user} ${action} ${n}`)
    t.match(body.context, {
      revision: engine.revision,
      reason: String,
      code: expected ? 'allowed' : 'no_rule'
    })
  }
  t.equal(facts.queries.length, CELLS.length)
  t.strictSame(new Set(facts.revisions), new Set([engine.revision]), 'for the policies that decide')
  const evaluations = CELLS.map(({ user, n, action }) => question(users[user], action, n))
  const { body } = await post(app, { evaluations })
  t.strictSame(
    body.evaluations.map((one: { decision: boolean }) => one.decision),
    CELLS.map(cell => cell.expected)
  )
  t.equal(facts.queries.length, CELLS.length + 1)
  t.equal(facts.queries.at(-1)?.subjects.length, 4, 'each subject once')
  t.equal(facts.queries.at(-1)?.resources.length, 4, 'each row once')
})

t.test('what nobody knows is a deny with a reason, not an error', async t => {
  const facts = fakeFacts()
  const app = service(t, { facts })
  const ask = question(users.ada, 'read', 1)
  const cases: [code: string, body: unknown][] = [
    ['unknown_type', { ...ask, resource: { type: 'spaceship', id: agent(1) } }],
    ['unknown_type', { ...ask, resource: { type: 'toString', id: agent(1) } }],
    ['unknown_type', { ...ask, resource: { type: '', id: '' } }],
    ['unknown_action', { ...ask, action: { name: 'manage' } }],
    ['unknown_action', { ...ask, action: { name: 'READ' } }],
    ['unknown_subject_type', { ...ask, subject: { type: 'service', id: users.root } }],
    ['unknown_subject', { ...ask, subject: { type: 'user', id: 'ada' } }],
    ['unknown_subject', { ...ask, subject: { type: 'user', id: users.ada.replace('a', 'f') } }],
    ['unknown_subject', { ...ask, subject: { type: 'user', id: `${users.ada}\u0000` } }],
    ['not_a_member', { ...ask, subject: { ...ask.subject, properties: { tenant_id: tenants.globex } } }],
    ['invalid_attribute', { ...ask, subject: { ...ask.subject, properties: { tenant_id: 1 } } }],
    ['invalid_attribute', { ...ask, subject: { ...ask.subject, properties: { tenant_id: [tenants.acme] } } }],
    ['invalid_attribute', { ...ask, subject: { ...ask.subject, properties: { tenant_id: '' } } }],
    ['no_row', { ...ask, resource: { type: 'agent', id: agent(9) } }],
    ['no_row', { ...ask, resource: { type: 'agent', id: "' or true --" } }],
    ['no_row', { ...ask, resource: { type: 'tool', id: agent(1) } }]
  ]
  for (const [code, body] of cases) {
    const reply = await post(app, body)
    t.equal(reply.status, 200)
    t.strictSame([reply.body.decision, reply.body.context.code], [false, code])
    t.equal(reply.body.context.rule, null)
  }
  t.strictSame(
    facts.queries.map(query => query.subjects.length),
    [1, 1, 1, 1, 1],
    'the database is asked only where it can know better'
  )
})

t.test('ids and tenants compare without letter case; the tenant may be named', async t => {
  const app = service(t)
  const ask = {
    subject: {
      type: 'user',
      id: users.ada.toUpperCase(),
      properties: { tenant_id: tenants.acme.toUpperCase() }
    },
    action: { name: 'read' },
    resource: { type: 'agent', id: agent(1).toUpperCase() }
  }
  t.match((await post(app, ask)).body, { decision: true, context: { rule: 'owner' } })
  const globex = { ...ask.subject, properties: { tenant_id: tenants.globex } }
  const both = await post(app, { ...ask, evaluations: [{}, { subject: globex }, {}] })
  const codes = both.body.evaluations.map((one: { context: { code: string } }) => one.context.code)
  t.strictSame(codes, ['allowed', 'not_a_member', 'allowed'], 'one user in two tenants is two principals')
  const tool = { ...ask.resource, type: 'tool' }
  const types = await post(app, { ...ask, evaluations: [{}, { resource: tool }] })
  t.equal(types.body.evaluations[1].context.code, 'no_row', 'one id in two tables is two rows')
  const none = { ...ask, subject: { ...ask.subject, properties: { tenant_id: null } } }
  t.equal((await post(app, none)).body.decision, true)
})

t.test('what a caller says about a subject does not count', async t => {
  const app = service(t)
  const claims = {
    is_platform_admin: true,
    roles: ['platform_admin', 'admin'],
    tenant_type: 'platform',
    tenant_status: 'active',
    tenant_role: 'owner',
    id: users.root,
    role: 'admin'
  }
  for (const n of [1, 2, 4]) {
    const ask = question(users.ivy, 'read', n)
    const { body } = await post(app, {
      ...ask,
      subject: { ...ask.subject, properties: claims },
      context: claims
    })
    t.equal(body.decision, false, `agent ${n}`)
  }
  const silent = fakeFacts({
    read: async query => ({
      principals: query.subjects.map(({ id }) => ({ status: 'member', principal: { id } })),
      rows: query.resources.map(() => stored(4))
    })
  })
  const four = question(users.ivy, 'read', 4)
  const unopposed = { ...four, subject: { ...four.subject, properties: claims } }
  t.equal(
    (await post(service(t, { facts: silent }), unopposed)).body.decision,
    false,
    'nor where nothing is stored'
  )
  const root = question(users.root, 'read', 4)
  const less = { ...root, subject: { ...root.subject, properties: { is_platform_admin: false } } }
  t.equal((await post(app, less)).body.decision, true, 'neither does what would take a right away')
})

t.test('a row that the caller sends is the row, and is not read', async t => {
  const facts = fakeFacts()
  const app = service(t, { facts })
  const mine = { ...stored(4), tenant_id: tenants.acme }
  const ask = (properties: Record<string, unknown>, id = agent(4)) => ({
    ...question(users.ada, 'read', 4),
    resource: { type: 'agent', id, properties }
  })
  t.equal((await post(app, ask(mine))).body.decision, true)
  t.strictSame(facts.queries.at(-1)?.resources, [])
  const { id: _, ...rest } = mine
  t.equal((await post(app, ask(rest))).body.decision, true, 'the id is that of the resource')
  const other = await post(app, ask({ ...mine, id: agent(1) }))
  t.strictSame([other.body.decision, other.body.context.code], [false, 'invalid_attribute'])
  const none = await post(app, ask(mine, 'no uuid'))
  t.strictSame([none.body.decision, none.body.context.code], [false, 'invalid_attribute'])
  const lists = await post(app, ask({ ...mine, tenant_id: [tenants.acme] }))
  t.strictSame([lists.body.decision, lists.body.context.code], [false, 'invalid_attribute'])
  t.equal(
    (await post(app, ask({ tenant_id: tenants.acme }))).body.decision,
    false,
    'a part of a row is no row'
  )
})

t.test('create is judged by the new row, update also by the proposed change', async t => {
  const facts = fakeFacts()
  const app = service(t, { facts })
  const create = (tenantId: string) => ({
    ...question(users.ada, 'create', 9),
    resource: {
      type: 'agent',
      id: agent(9),
      properties: { ...stored(1), id: agent(9), tenant_id: tenantId }
    }
  })
  t.equal((await post(app, create(tenants.acme))).body.decision, true)
  t.equal((await post(app, create(tenants.globex))).body.decision, false)
  t.equal(
    (await post(app, question(users.ada, 'create', 1))).body.decision,
    false,
    'the stored row is no new row'
  )
  t.ok(facts.queries.every(query => query.resources.length === 0))
  const update = (changes: unknown) => ({
    ...question(users.ada, 'update', 1),
    action: { name: 'update', properties: { changes } }
  })
  t.equal((await post(app, update({ shared_with: [tenants.globex] }))).body.decision, true)
  t.equal((await post(app, update({ tenant_id: tenants.globex }))).body.decision, false)
  t.equal((await post(app, update([tenants.globex]))).body.context.code, 'invalid_attribute')
})
