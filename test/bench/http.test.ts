import pg from 'pg'
import t from 'tap'
import { authzenBody, BATCH, passedQuestions, storedQuestions } from '../../bench/http/questions.js'
import { createFactsReader } from '../../src/db/facts.js'
import { post, service } from '../server/service.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

t.test('the service answers what the benchmark asks as expected', async t => {
  const app = service(t, { facts: null })
  const { single, batch } = await passedQuestions(await exampleBundle(), 300)
  t.ok(batch.length >= 30 && batch.every(({ requests }) => requests.length === BATCH))
  const allowed = single.filter(({ expected: [one] }) => one).length
  t.ok(allowed > 75 && allowed < 225, `${allowed} of 300 are allowed`)
  for (const asked of [...single, ...batch]) {
    const { body } = await post(app, authzenBody(asked))
    const answers = (body.evaluations ?? [body]) as { decision: boolean; context: { code: string } }[]
    t.strictSame(
      answers.map(one => one.decision),
      asked.expected
    )
    // a question that is refused for what it holds would be fast and wrong
    t.notOk(answers.some(one => !['allowed', 'no_rule'].includes(one.context.code)))
  }
})

t.test('of what is stored too, also when all is asked at once', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const owner = await database.client()
  const asked = await storedQuestions(owner, 20)
  await owner.end()
  t.equal(asked.length, 40)
  const pool = new pg.Pool({ connectionString: database.url('twinrule_service', TEST_PASSWORD), max: 3 })
  const facts = createFactsReader(pool)
  let statements = 0
  const app = service(t, {
    facts: {
      ...facts,
      read(query, revision) {
        statements++
        return facts.read(query, revision)
      }
    }
  })
  const answers = await Promise.all(asked.map(one => post(app, authzenBody(one))))
  t.strictSame(
    answers.map(({ body }) => [body.decision]),
    asked.map(({ expected }) => expected)
  )
  t.ok(statements < asked.length, `${statements} statements for ${asked.length} requests`)
})
