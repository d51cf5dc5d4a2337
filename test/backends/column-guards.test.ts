import t, { type Test } from 'tap'
import { guardFunctions, guardObjects } from '../../src/backends/sql/column-guards.js'
import { functionObject } from '../../src/backends/sql/function.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { connections } from '../agreement/locks.js'
import { bundleOf } from '../prove/policies.js'
import { createDatabase } from '../support/cluster.js'

/** Files, whose title may be changed only where no open folder that the principal may read holds them. */
const policy = (admin: string) => `version: 1
principal: { id: uuid, tenant_id: uuid, is_platform_admin: { type: bool, role: authz_platform_admin } }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid!, is_open: bool! }
    rules:
      owner: { allow: [read], when: mine }
      admin: { allow: [read], when: ${admin} }
  file:
    table: files
    columns: { id: uuid!, tenant_id: uuid!, folder_id: uuid, title: text }
    relations: { folder: { one: folder } }
    column_rules: [{ columns: [title], when: '!resource.folder.exists(f, f.is_open)' }]
    rules:
      owner: { allow: [read, update], when: mine }
`

const id = (n: number) => `00000000-0000-0000-0000-00000000000${n}`
const [mine, other] = [id(1), id(2)]
const [theirs, closed, own, quiet] = [id(3), id(4), id(5), id(6)]

/** Whether a change of the title of a file in a folder is permitted to a principal in a role. */
type Permitted = (folder: string, flag: boolean, role: string, entered?: boolean) => Promise<boolean>

async function locked(t: Test, admins: string): Promise<Permitted> {
  const bundle = bundleOf(policy(admins))
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
  await admin.query(`CREATE OR REPLACE FUNCTION twinrule.entered_platform_admin() RETURNS boolean STABLE LANGUAGE sql
    AS $$ SELECT (current_setting('test.principal')::jsonb ->> 'entered')::boolean $$`)
  await admin.query(
    'INSERT INTO folders VALUES ($1, $2, true), ($3, $2, false), ($4, $5, true), ($6, $5, false)',
    [theirs, other, closed, own, mine, quiet]
  )
  return async (folder, flag, role, entered = flag) => {
    await admin.query('TRUNCATE files')
    await admin.query('INSERT INTO files VALUES ($1, $2, $3)', [id(7), mine, folder])
    await app.query('BEGIN')
    try {
      const principal = { id: id(8), tenant_id: mine, is_platform_admin: flag, entered }
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
}

t.test('a rule against related rows is no weaker in a role that does not see them', async t => {
  const permitted = await locked(t, 'principal.is_platform_admin')
  t.notOk(await permitted(own, false, 'twinrule_app'))
  t.ok(await permitted(quiet, false, 'twinrule_app'))
  // an open folder of another tenant: only an admin may read it, so for others it is not there
  t.ok(await permitted(theirs, false, 'twinrule_app'))
  t.notOk(await permitted(theirs, true, 'authz_platform_admin'))
  t.notOk(await permitted(theirs, true, 'twinrule_app'), 'an admin does not escape it in the role of all')
  t.ok(await permitted(closed, true, 'authz_platform_admin'))
})

t.test('nor for an administrator who did not enter the role that sees them', async t => {
  const permitted = await locked(t, 'principal.is_platform_admin && resource.is_open')
  t.notOk(await permitted(theirs, true, 'authz_platform_admin'))
  t.notOk(await permitted(theirs, true, 'authz_platform_admin', false))
  t.notOk(await permitted(theirs, true, 'twinrule_app'))
  t.ok(await permitted(closed, true, 'authz_platform_admin'))
  t.ok(await permitted(theirs, false, 'twinrule_app'))
})
