import t from 'tap'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { SECRET_LAST } from './attack.js'
import { EVERY_ATTACK, through } from './every.js'

t.test('free SQL as the app role, with a valid token of one member, gets nothing else', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const owner = await database.client()
  await owner.query(SECRET_LAST)
  await owner.end()
  const got = await through(database, EVERY_ATTACK)
  for (const { name } of EVERY_ATTACK) t.equal(got.get(name) ?? null, null, name)
})
