import t from 'tap'
import { migrate } from '../../src/migrate/migrate.js'
import { loadFolder } from '../../src/policy/load.js'
import { createDatabase } from '../support/cluster.js'

const { bundle } = await loadFolder('policies')
if (bundle === null) throw new Error('the example policies do not compile')

t.test('a fresh database is migrated up, a second time nothing happens, and down and up work', async t => {
  const database = await createDatabase(t)
  const url = database.url()
  const first = await migrate({ database: url, bundle, demo: true })
  t.match(first.steps, [
    'applied 0001_tenancy',
    'applied 0002_resources',
    /^applied the access rules/,
    'loaded the demo data'
  ])
  t.same((await migrate({ database: url, bundle, demo: true })).steps, [])
  const down = await migrate({ database: url, bundle, direction: 'down', count: Number.POSITIVE_INFINITY })
  t.same(down.steps, ['removed the access rules', 'undid 0002_resources', 'undid 0001_tenancy'])
  const again = await migrate({ database: url, bundle })
  t.equal(again.steps.length, 3)
  t.same((await migrate({ database: url, bundle })).steps, [])
})
