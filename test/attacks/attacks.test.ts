import t from 'tap'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { AROUND_ATTACKS } from './around.js'
import { assault, SECRET_LAST } from './attack.js'
import { CONTEXT_ATTACKS } from './contexts.js'
import { FUNCTION_ATTACKS } from './functions.js'
import { LIST_ATTACKS } from './lists.js'
import { STATEMENT_ATTACKS } from './statements.js'

const database = await demoDatabase(t, await exampleBundle())
const [owner, attacker, victim] = await Promise.all([
  database.client(),
  database.client('twinrule_app'),
  database.client('twinrule_app')
])
t.teardown(() => Promise.all([owner.end(), attacker.end(), victim.end()]))

t.test('free SQL as the app role, with a valid token of one member, gets nothing else', async t => {
  await owner.query(SECRET_LAST)
  const attacks = [
    ...CONTEXT_ATTACKS,
    ...STATEMENT_ATTACKS,
    ...AROUND_ATTACKS,
    ...FUNCTION_ATTACKS,
    ...LIST_ATTACKS
  ]
  await assault(attacks, { attacker, victim, owner }, ({ name }, got) => {
    t.equal(got, null, name)
    return true
  })
})
