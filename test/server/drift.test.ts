import t from 'tap'
import type { DriftFinding, DriftReport } from '../../src/drift/finding.js'
import { DatabaseError } from '../../src/errors/errors.js'
import { engine, post, question, service, settings, users } from './service.js'

const finding = (one: Partial<DriftFinding>): DriftFinding => ({
  code: 'TWR_DRIFT_POLICY',
  severity: 'error',
  kind: 'policy',
  object: 'twinrule_agents_select ON public.agents',
  property: 'using',
  expected: 'secret-expected',
  found: 'secret-found',
  message: 'the policy twinrule_agents_select ON public.agents: USING changed',
  hint: 'migrate',
  counterexample: null,
  ...one
})
const report = (...findings: readonly DriftFinding[]): DriftReport => ({
  revision: engine.revision,
  installed: engine.revision,
  server: 15,
  objects: 1,
  findings,
  notes: []
})
const OF_FACTS = finding({
  kind: 'function',
  object: 'twinrule.decision_facts(text[])',
  message: 'the body changed'
})
const WARNING = finding({
  severity: 'warning',
  code: 'TWR_DRIFT_INDEX',
  kind: 'index',
  message: 'an index is gone'
})
const config = settings({ TWINRULE_DRIFT_INTERVAL: '1' })
const question1 = question(users.ada, 'read', 1)

/** A service whose looks a test decides, with the lines that it logs. */
function watched(t: Parameters<typeof service>[0], first: () => Promise<DriftReport>) {
  const lines: Record<string, unknown>[] = []
  const looks = { next: first, count: 0 }
  const look = () => {
    looks.count++
    return looks.next()
  }
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = service(t, {
    look,
    config: { ...config, driftInterval: 0.01 },
    logger: { level: 'info', stream }
  })
  const seen = async () => {
    const before = looks.count
    while (looks.count < before + 2) await new Promise(resolve => setTimeout(resolve, 5))
    const { statusCode, body } = await app.inject('/health/ready')
    return { status: statusCode, body: JSON.parse(body), text: body }
  }
  const logged = () => lines.filter(({ msg }) => /drift|the database|in the database/.test(String(msg)))
  return { app, looks, seen, logged }
}

t.test('drift turns the service not ready, with the names, and ready again when it is gone', async t => {
  const { app, looks, seen, logged } = watched(t, async () => report())
  await app.ready()
  t.match(await seen(), { status: 200 })
  looks.next = async () => report(finding({}), WARNING)
  const { status, body, text } = await seen()
  t.equal(status, 503)
  t.same(body.error, {
    code: 'TWR_DB_DRIFT',
    message: 'not ready: The database is not what its last migration left',
    reasons: ['TWR_DRIFT_POLICY the policy twinrule_agents_select ON public.agents: USING changed']
  })
  t.notMatch(text, /secret/)
  await seen()
  looks.next = async () => report(WARNING)
  t.match(await seen(), { status: 200 }, 'a warning is no reason')
  looks.next = async () => report()
  t.match(await seen(), { status: 200 })
  t.match(
    logged().map(({ level, msg }) => [level, msg]),
    [
      [50, 'the database is not what its last migration left'],
      [40, 'something was changed in the database by hand'],
      [30, 'the database is what its last migration left']
    ],
    'each change is logged once'
  )
})

t.test(
  'decisions go on while only the lock on rows has drifted, and stop when the facts may be wrong',
  async t => {
    const { app, looks, seen } = watched(t, async () => report(finding({})))
    await app.ready()
    await seen()
    t.match(await post(app, question1), { status: 200, body: { decision: true } })
    for (const touched of [
      OF_FACTS,
      finding({ kind: 'grants', object: 'public.user_roles', code: 'TWR_DRIFT_GRANT' }),
      finding({ object: 'twinrule_agents_facts ON public.agents' }),
      finding({ kind: 'role', object: 'twinrule_service', code: 'TWR_DRIFT_ROLE' })
    ]) {
      looks.next = async () => report(touched)
      await seen()
      const { status, body } = await post(app, question1)
      t.equal(status, 503, touched.object)
      t.match(body, { error: { code: 'TWR_DB_DRIFT' } })
      t.notMatch(JSON.stringify(body), touched.message)
    }
    t.match(
      await post(app, { ...question1, action: { name: 'x' } }),
      { status: 200 },
      'what needs no fact is answered'
    )
  }
)

t.test('many reasons are cut short', async t => {
  const { app, seen } = watched(t, async () => report(...Array.from({ length: 14 }, () => finding({}))))
  await app.ready()
  const { body } = await seen()
  t.equal(body.error.reasons.length, 11)
  t.equal(body.error.reasons.at(-1), 'and 4 more')
})

t.test(
  'a look that fails changes nothing at first, and makes the service not ready when it goes on',
  async t => {
    const { app, looks, seen, logged } = watched(t, async () => report())
    await app.ready()
    looks.next = async () => Promise.reject(new DatabaseError('TWR_DB_UNREACHABLE', 'away'))
    for (let i = 0; i < 3; i++)
      t.match(await seen(), { status: 200 }, 'the database is away: readiness itself says so')
    looks.next = async () => Promise.reject(new DatabaseError('TWR_DB_FAULT', 'secret'))
    await seen()
    await seen()
    const { status, text } = await seen()
    t.equal(status, 503)
    t.match(text, /cannot be checked/)
    t.notMatch(text, /secret/)
    looks.next = async () => report()
    t.match(await seen(), { status: 200 })
    t.same(
      logged().map(({ level }) => level),
      [40, 30],
      'that it fails, and that it works again, each once'
    )
  }
)

t.test('an interval of 0 means no looks', async t => {
  let looks = 0
  const look = async () => {
    looks++
    return report(finding({}))
  }
  const app = service(t, { look, config: settings({ TWINRULE_DRIFT_INTERVAL: '0' }) })
  await app.ready()
  await new Promise(resolve => setTimeout(resolve, 30))
  t.equal(looks, 0)
  t.equal((await app.inject('/health/ready')).statusCode, 200)
})
