import t from 'tap'
import { agent, post, question, service, users } from './service.js'

t.test('the paths of the AuthZEN standard answer alike', async t => {
  const app = service(t)
  const ask = question(users.ada, 'read', 1)
  const [own, single, batch] = await Promise.all([
    post(app, ask),
    post(app, ask, '/access/v1/evaluation'),
    post(app, { evaluations: [ask] }, '/access/v1/evaluations')
  ])
  t.strictSame(own.body, single.body)
  t.strictSame(batch.body, { evaluations: [own.body] })
  const ignored = await post(app, { ...ask, evaluations: 'unknown here' }, '/access/v1/evaluation')
  t.equal(ignored.body.decision, true, 'evaluations is an unknown member of a single question')
})

t.test('items take whole members from the defaults and keep their mistakes to themselves', async t => {
  const app = service(t)
  const defaults = question(users.gus, 'read', 1)
  const { body, status } = await post(app, {
    ...defaults,
    evaluations: [
      {},
      { resource: { type: 'agent', id: agent(2) } },
      { resource: { id: agent(4) } },
      { subject: { type: 'user', id: users.ada } },
      { subject: null },
      7,
      { action: { name: 5 } },
      { subject: { type: 'user', id: users.root } }
    ]
  })
  t.equal(status, 200)
  const answers = body.evaluations as {
    decision: boolean
    context: { code: string; error?: { status: number; message: string } }
  }[]
  t.strictSame(
    answers.map(one => one.decision),
    [false, true, false, true, false, false, false, true]
  )
  t.strictSame(
    answers.map(one => one.context.error?.status),
    [undefined, undefined, 400, undefined, 400, 400, 400, undefined]
  )
  t.equal(answers[2]?.context.error?.message, 'resource.type is missing', 'entities are never merged')
  t.equal(answers[2]?.context.code, 'invalid_request')
})

t.test('an incomplete default that every item overrides spoils nothing', async t => {
  const app = service(t)
  const { subject, action, resource } = question(users.gus, 'read', 2)
  const { body } = await post(app, {
    subject,
    action,
    resource: {},
    context: 5,
    evaluations: [{ resource, context: {} }]
  })
  t.equal(body.evaluations[0].decision, true)
  t.equal(
    (await post(app, { subject, action, evaluations: [{}] })).body.evaluations[0].context.error.status,
    400
  )
})

t.test('a batch stops where its semantic says', async t => {
  const app = service(t)
  const { subject, action } = question(users.gus, 'read', 1)
  const items = [2, 1, 3, 4].map(n => ({ resource: { type: 'agent', id: agent(n) } }))
  const run = async (evaluations_semantic: string | undefined, evaluations: unknown[] = items) => {
    const options = evaluations_semantic === undefined ? {} : { evaluations_semantic }
    const { body } = await post(app, { subject, action, evaluations, options })
    return body.evaluations.map((one: { decision: boolean }) => one.decision)
  }
  t.strictSame(await run(undefined), [true, false, true, true])
  t.strictSame(await run('execute_all'), [true, false, true, true])
  t.strictSame(await run('deny_on_first_deny'), [true, false])
  t.strictSame(await run('permit_on_first_permit'), [true])
  t.strictSame(await run('permit_on_first_permit', [items[1], items[1]]), [false, false])
  t.strictSame(await run('deny_on_first_deny', [items[0], items[2]]), [true, true])
  t.strictSame(
    await run('deny_on_first_deny', [items[0], null, items[2]]),
    [true, false],
    'an error counts as a deny'
  )
})
