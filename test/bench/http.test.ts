import t from 'tap'
import { authzenBody, BATCH, passedQuestions, storedQuestions } from '../../bench/http/questions.js'
import { post, service } from '../server/service.js'
import { exampleBundle } from '../support/example.js'

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

t.test('of what is stored, some is allowed and some is not', t => {
  const expected = storedQuestions().flatMap(one => one.expected)
  t.equal(expected.length, 16)
  t.ok(expected.includes(true) && expected.includes(false))
  t.end()
})
