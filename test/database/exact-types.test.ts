import pg from 'pg'
import t from 'tap'
import { exactTypes } from '../../src/db/exact-types.js'
import { canonical } from '../../src/ir/values.js'
import { createDatabase } from '../support/cluster.js'

t.test('what pg reads with exact types is what the engine takes, to the last digit', async t => {
  const database = await createDatabase(t)
  const client = new pg.Client({ connectionString: database.url(), types: exactTypes })
  await client.connect()
  t.teardown(() => client.end())
  const read = async (sql: string): Promise<unknown> => (await client.query(`SELECT ${sql} AS v`)).rows[0].v
  const value = async (type: 'int' | 'date' | 'timestamptz' | 'uuid' | 'text' | 'bool', sql: string) => {
    const result = canonical({ kind: type }, await read(sql))
    return result.ok ? result.value : result.problem
  }
  t.equal(await value('int', '9007199254740993::bigint'), 9007199254740993n)
  t.equal(await value('int', '7::int'), 7)
  t.equal(await value('date', "'2024-02-29'::date"), Date.UTC(2024, 1, 29) / 86_400_000)
  t.equal(await value('date', "'infinity'::date"), Number.POSITIVE_INFINITY)
  await client.query("SET TimeZone = 'Asia/Kathmandu'")
  t.equal(
    await value('timestamptz', "'2026-01-01T00:00:00.000001Z'::timestamptz"),
    Date.UTC(2026, 0, 1) * 1000 + 1
  )
  t.equal(await value('timestamptz', "'-infinity'::timestamptz"), Number.NEGATIVE_INFINITY)
  t.match(await value('timestamptz', "'2026-01-01 00:00:00'::timestamp"), /expected timestamptz/)
  const set = (of: 'int' | 'date' | 'timestamptz' | 'uuid' | 'text', input: unknown) =>
    canonical({ kind: 'set', of: { kind: of } }, input)
  t.same(set('int', await read('ARRAY[9223372036854775807, NULL]::bigint[]')), {
    ok: true,
    value: [9223372036854775807n, null]
  })
  t.same(set('date', await read("ARRAY['1970-01-02']::date[]")), { ok: true, value: [1] })
  t.same(set('timestamptz', await read("ARRAY['1970-01-01T00:00:01Z']::timestamptz[]")), {
    ok: true,
    value: [1_000_000]
  })
  t.same(set('text', await read("ARRAY['a,b', '\"', NULL]::text[]")), { ok: true, value: ['a,b', '"', null] })
  t.notOk(set('text', await read("ARRAY[['a'],['b']]::text[]")).ok, 'two dimensions are no set')
})
