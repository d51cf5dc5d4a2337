import t from 'tap'
import { createDatabase } from './cluster.js'

t.test('a test file gets a database of its own on a real server', async t => {
  const database = await createDatabase(t)
  const client = await database.client()
  const { rows } = await client.query(
    'SELECT current_database() AS name, current_setting($1)::int AS version',
    ['server_version_num']
  )
  await client.end()
  t.equal(rows[0].name, database.name)
  t.ok(rows[0].version >= 140000)
})
