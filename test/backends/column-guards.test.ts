import t from 'tap'
import { guardFunctions, guardObjects } from '../../src/backends/sql/column-guards.js'
import { functionObject } from '../../src/backends/sql/function.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { connections } from '../agreement/locks.js'
import { bundleOf } from '../prove/policies.js'
import { createDatabase } from '../support/cluster.js'

const bundle = bundleOf(`version: 1
principal: { id: uuid, tenant_id: uuid, is_platform_admin: { type: bool, role: authz_platform_admin } }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid!, is_open: bool! }
    rules:
      owner: { allow: [read], when: mine }
      admin: { allow: [read], when: principal.is_platform_admin }
  file:
    table: files
    columns: { id: uuid!, tenant_id: uuid!, folder_id: uuid, title: text }
    relations: { folder: { one: folder } }
    column_rules: [{ columns: [title], when: '!resource.folder.exists(f, f.is_open)' }]
    rules:
      owner: { allow: [read, update], when: mine }
      admin: { allow: [read, update], when: principal.is_platform_admin }
`)

t.test('a rule against related rows is no weaker in a role that does not see them', async t => {
  const { admin, app } = await connections(await createDatabase(t))
  t.teardown(() => Promise.all([app.end(), admin.end()]))
  await admin.query(`CREATE TABLE folders (id uuid PRIMARY KEY, tenant_id uuid, is_open boolean);
    CREATE TABLE files (id uuid PRIMARY KEY, tenant_id uuid, folder_id uuid, title text)`)
  const objects = bundle.resources.flatMap(resource => [
    ...guardFunctions(resource, bundle).map(functionObject),
    ...tableObjects(resource, bundle),
    ...guardObjects(resource)
  ])
  await admin.query(objects.map(({ up }) => `${up}`).join('\n'))
  const id = (n: number) => `00000000-0000-0000-0000-00000000000${n}`
  const [mine, other] = [id(1), id(2)]
  await admin.query(
    'INSERT INTO folders VALUES ($1, $2, true), ($3, $2, false), ($4, $5, true), ($6, $5, false)',
    [id(3), other, id(4), id(5), mine, id(6)]
  )
  /** Whether a change of the title of a file in a folder is permitted. */
  const permitted = async (folder: string, flag: boolean, role: string): Promise<boolean> => {
    await admin.query('TRUNCATE files')
    await admin.query('INSERT INTO files VALUES ($1, $2, $3)', [id(7), mine, folder])
    await app.query('BEGIN')
    try {
      const principal = { id: id(8), tenant_id: mine, is_platform_admin: flag }
      await app.query("SELECT set_config('test.principal', $1, true)", [JSON.stringify(principal)])
      await app.query(`SET LOCAL ROLE ${role}`)
      return (await app.query("UPDATE files SET title = 'x'")).rowCount === 1
    } catch (error) {
      if ((error as { code?: string }).code !== '42501') throw error
      return false
    } finally {
      await app.query('ROLLBACK')
    }
  }
  const [theirs, closed, own, quiet] = [id(3), id(4), id(5), id(6)]
  t.notOk(await permitted(own, false, 'twinrule_app'))
  t.ok(await permitted(quiet, false, 'twinrule_app'))
  // an open folder of another tenant: only an admin may read it, so for others it is not there
  t.ok(await permitted(theirs, false, 'twinrule_app'))
  t.notOk(await permitted(theirs, true, 'authz_platform_admin'))
  t.notOk(await permitted(theirs, true, 'twinrule_app'), 'an admin does not escape it in the role of all')
  t.ok(await permitted(closed, true, 'authz_platform_admin'))
})
