import t from 'tap'
import { type ListStatement, listResources } from '../../src/db/list.js'
import { acting, DEMO, demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()
const database = await demoDatabase(t, bundle)
const app = await database.client('twinrule_app')
t.teardown(() => app.end())

const roleNow = async () =>
  (await app.query<{ role: string }>('SELECT current_user::text AS role')).rows[0]?.role

/** The client, and in which role it ran the statement of a list. */
function watched(roles: (string | undefined)[]) {
  function query(text: string): Promise<unknown>
  function query(statement: ListStatement): Promise<{ readonly rows: readonly (readonly unknown[])[] }>
  async function query(asked: string | ListStatement): Promise<unknown> {
    if (typeof asked === 'string') return app.query(asked)
    roles.push(await roleNow())
    return app.query<unknown[]>({ ...asked, values: [...asked.values] })
  }
  return { query }
}

t.test('a list is read in the role for lists, and the transaction is in its own role afterwards', async t => {
  await acting(app, 'gus', async () => {
    const roles: (string | undefined)[] = []
    const { rows, count } = await listResources(watched(roles), bundle, { type: 'agent', count: true })
    t.strictSame(
      rows.map(({ id }) => id),
      [DEMO.agent(2), DEMO.agent(3), DEMO.agent(4)]
    )
    t.equal(count, 3)
    t.strictSame(roles, ['twinrule_lister'])
    t.equal(await roleNow(), 'twinrule_app')
    t.equal((await app.query("UPDATE agents SET name = 'by gus'")).rowCount, 1)
    await listResources(watched(roles), bundle, { type: 'agent' })
    const { rows: after } = await app.query('SELECT name FROM agents WHERE id = $1', [DEMO.agent(4)])
    t.strictSame(after, [{ name: 'by gus' }], 'what the transaction has written stays')
  })
})

t.test('the list of a role flag is read in its own role', async t => {
  await acting(app, 'root', async () => {
    const roles: (string | undefined)[] = []
    const options = { entered: 'is_platform_admin' }
    const { rows } = await listResources(watched(roles), bundle, { type: 'agent' }, options)
    t.equal(rows.length, 4)
    t.strictSame(roles, ['authz_platform_admin'])
    t.equal(await roleNow(), 'authz_platform_admin')
  })
})

t.test('a list that fails leaves nobody in another role after the transaction', async t => {
  await acting(app, 'gus', async () => {
    const broken = {
      query: (asked: string | ListStatement) => app.query(typeof asked === 'string' ? asked : 'SELECT 1 / 0')
    }
    await t.rejects(listResources(broken as never, bundle, { type: 'agent' }), { code: 'TWR_DB_FAULT' })
  })
  t.equal(await roleNow(), 'twinrule_app')
})
