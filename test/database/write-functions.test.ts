import pg from 'pg'
import t from 'tap'
import { createFactsReader } from '../../src/db/facts.js'
import { createEngine } from '../../src/engine/engine.js'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { acting, DEMO, demoDatabase, exampleBundle, HOME, type User } from '../support/example.js'

const POLICY = `
version: 1
enums: { sharing_mode: [private, global, selective] }
principal: { id: uuid, tenant_id: uuid, is_platform_admin: { type: bool, role: authz_platform_admin } }
macros:
  mine: resource.tenant_id == principal.tenant_id
  live: resource.deleted_at == null
  admin: principal.is_platform_admin
traits:
  kept:
    columns: { tenant_id: uuid!, deleted_at: timestamptz }
    immutable: [id]
    soft_delete: deleted_at
    delete_through: remove
    rules:
      admin: { allow: [read, create, update, delete], when: admin }
      owner: { allow: [read, create, update, delete], when: mine && live, check: mine }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid!, locked: bool }
    rules:
      admin: { allow: [read], when: admin }
      mine: { allow: [read], when: mine }
  paper:
    table: papers
    use: [kept]
    relations: { folder: { one: folder }, pins: { many: pins, columns: { tenant_id: uuid } } }
    columns:
      { id: uuid!, folder_id: uuid, is_shared: bool!, sharing_mode: sharing_mode!, shared_with: set<uuid>, open: bool }
    column_rules:
      - { columns: [is_shared, sharing_mode, shared_with], when: '(mine || admin) && !resource.folder.exists(f, f.locked)', through: share }
      - { columns: [tenant_id], when: admin, through: transfer }
    rules:
      received: { allow: [read], when: 'live && resource.is_shared && principal.tenant_id in resource.shared_with' }
      opened: { allow: [read, update], when: resource.open && live, check: resource.sharing_mode != "global" }
      locked: { forbid: [delete], when: 'resource.folder.exists(f, f.locked)' }
      pinned: { forbid: [delete], when: 'resource.pins.exists(p, p.tenant_id != principal.tenant_id)' }
  ticket: { table: tickets, use: [kept], columns: { id: int! } }
  page: { table: pages, use: [kept], columns: { id: text! } }
`

const TABLES = `
CREATE TABLE folders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, locked boolean);
CREATE TABLE papers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, folder_id uuid, open boolean, deleted_at timestamptz,
  is_shared boolean NOT NULL DEFAULT false, sharing_mode text NOT NULL DEFAULT 'private', shared_with uuid[], touched int DEFAULT 0);
CREATE TABLE pins (paper_id uuid NOT NULL, tenant_id uuid);
CREATE TABLE tickets (id int PRIMARY KEY, tenant_id uuid NOT NULL, deleted_at timestamptz);
CREATE TABLE pages (id text PRIMARY KEY, tenant_id uuid NOT NULL, deleted_at timestamptz);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON papers FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO folders (id, tenant_id, locked) SELECT ('00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))::uuid,
  (ARRAY['${DEMO.acme}', '${DEMO.globex}', '${DEMO.platform}'])[n % 3 + 1]::uuid, (ARRAY[true, false, NULL])[n % 3 + 1] FROM generate_series(0, 8) AS n;
INSERT INTO papers (id, tenant_id, folder_id, open, deleted_at, is_shared, sharing_mode, shared_with)
SELECT ('00000000-0000-0000-0008-' || lpad(n::text, 12, '0'))::uuid, (ARRAY['${DEMO.acme}', '${DEMO.globex}', '${DEMO.platform}'])[n % 3 + 1]::uuid,
  CASE WHEN n % 4 > 0 THEN ('00000000-0000-0000-0009-' || lpad((n % 9)::text, 12, '0'))::uuid END, (ARRAY[true, false, NULL])[n % 7 % 3 + 1],
  CASE WHEN n % 5 = 0 THEN now() END, n % 2 = 0, (ARRAY['private', 'selective', 'global'])[n % 11 % 3 + 1],
  (ARRAY['{}', '{${DEMO.globex}}', '{${DEMO.initech},${DEMO.acme}}', NULL])[n % 13 % 4 + 1]::uuid[] FROM generate_series(0, 59) AS n;
INSERT INTO pins SELECT id, CASE WHEN n % 2 = 0 THEN tenant_id WHEN n % 3 = 0 THEN '${DEMO.initech}'::uuid END
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM papers) AS numbered WHERE n % 5 = 0;
INSERT INTO tickets SELECT n, (ARRAY['${DEMO.acme}', '${DEMO.globex}'])[n % 2 + 1]::uuid FROM generate_series(1, 6) AS n;
INSERT INTO pages VALUES ('a/b ü', '${DEMO.acme}', NULL), ('gone', '${DEMO.acme}', now()), ('theirs', '${DEMO.globex}', NULL);
`

function compiled(text: string): Bundle {
  const { bundle: made, problems } = loadTexts({ 'p.yaml': text })
  if (made === null) throw new Error(problems.join('\n'))
  return made
}

const bundle = compiled(POLICY)
const database = await demoDatabase(t, await exampleBundle())
const owner = await database.client()
await owner.query(TABLES)
await migrate({ database: owner, bundle, passwords: { app: TEST_PASSWORD, service: TEST_PASSWORD } })
const app = await database.client('twinrule_app')
const pool = new pg.Pool({ connectionString: database.url('twinrule_service'), max: 1 })
t.teardown(() => Promise.all([owner.end(), app.end(), pool.end()]))
const engine = createEngine(bundle)
const reader = createFactsReader(pool)
const { rows: papers } = await owner.query<{ id: string }>('SELECT id FROM papers ORDER BY id')
const USERS: readonly User[] = ['ada', 'gus', 'ivy', 'root']

/** The papers of which the application says yes, as facts and rules stand. */
async function decided(user: User, action: string, changes?: (row: Record<string, unknown>) => object) {
  const { principals, rows } = await reader.read(
    {
      subjects: [{ id: DEMO[user], tenantId: HOME[user] }],
      resources: papers.map(({ id }) => ({ type: 'paper', id }))
    },
    bundle.revision
  )
  const [who] = principals
  if (who?.status !== 'member') throw new Error('not a member')
  return papers
    .map(({ id }) => id)
    .filter((id, i) => {
      const row = rows[i] ?? {}
      const { decision } = engine.decide({
        subject: { type: 'user', id: DEMO[user], properties: who.principal },
        action: { name: action, ...(changes === undefined ? {} : { properties: { changes: changes(row) } }) },
        resource: { type: 'paper', id, properties: row }
      })
      return decision
    })
}

/** The papers for which a call answers true. */
async function done(user: User, call: string): Promise<readonly string[]> {
  const answers: string[] = []
  for (const { id } of papers) {
    await acting(app, user, async () => {
      const answer = await app
        .query<{ done: boolean }>(`SELECT twinrule.${call.replace('ID', `'${id}'`)} AS done`)
        .then(
          ({ rows }) => rows[0]?.done,
          (error: { code: string }) => error.code
        )
      if (answer === true) answers.push(id)
      else t.match(String(answer), /^(false|42501)$/)
    })
  }
  return answers
}

t.test('a soft delete is allowed exactly where a delete is, of a row that is not deleted', async t => {
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM papers WHERE deleted_at IS NULL')
  const live = new Set(rows.map(({ id }) => id))
  let allowed = 0
  for (const user of USERS) {
    const expected = (await decided(user, 'delete')).filter(id => live.has(id))
    t.same(await done(user, "soft_delete('paper', ID::uuid)"), expected, user)
    allowed += expected.length
  }
  t.ok(allowed > 20 && allowed < papers.length * 3, `${allowed}`)
})

t.test('a row is removed exactly where a delete is allowed, and by nobody with DELETE', async t => {
  for (const user of USERS) {
    t.same(await done(user, "remove('paper', ID::uuid)"), await decided(user, 'delete'), user)
    await acting(app, user, () => t.rejects(app.query('DELETE FROM papers'), { code: '42501' }))
  }
  const [first] = await decided('ada', 'delete')
  await acting(app, 'ada', async () => {
    const call = 'SELECT twinrule.remove($1, $2::uuid) AS done'
    t.same((await app.query(call, ['paper', first])).rows, [{ done: true }])
    t.same((await app.query(call, ['paper', first])).rows, [{ done: false }], 'a second time')
  })
})

t.test(
  'failure 1 of hand-made systems: the row that nobody sees afterwards is deleted all the same',
  async t => {
    const [first] = await decided('ada', 'delete')
    await acting(app, 'ada', async () => {
      t.same((await app.query('SELECT FROM papers WHERE id = $1', [first])).rowCount, 1)
      const call = 'SELECT twinrule.soft_delete($1, $2::uuid) AS done'
      t.same((await app.query(call, ['paper', first])).rows, [{ done: true }])
      t.same((await app.query('SELECT FROM papers WHERE id = $1', [first])).rowCount, 0, 'it is hidden')
      t.same((await app.query(call, ['paper', first])).rows, [{ done: false }], 'a second time')
    })
    await acting(app, 'ada', async () => {
      await app.query("SELECT twinrule.soft_delete('paper', $1::uuid)", [first])
      await app.query('COMMIT')
    })
    const { rows } = await owner.query(
      'SELECT deleted_at IS NOT NULL AS kept, touched FROM papers WHERE id = $1',
      [first]
    )
    t.same(rows, [{ kept: true, touched: 1 }], 'the row is there, and its triggers ran')
    await owner.query('UPDATE papers SET deleted_at = NULL WHERE id = $1', [first])
  }
)

t.test('rows are named by ids of each type, and what is unknown is not there', async t => {
  await acting(app, 'ada', async () => {
    const ask = async (call: string) =>
      (await app.query(`SELECT twinrule.soft_delete(${call}) AS done`)).rows[0].done
    t.equal(await ask("'ticket', 2"), true)
    t.equal(await ask("'ticket', 1"), false)
    t.equal(await ask("'ticket', 9223372036854775807"), false)
    t.equal(await ask("'page', 'a/b ü'::text"), true)
    t.equal(await ask("'page', 'gone'::text"), false)
    t.equal(await ask("'page', 'theirs'::text"), false)
    t.equal(await ask("'folder', gen_random_uuid()"), false, 'a resource without soft delete')
    t.equal(await ask("'nothing', gen_random_uuid()"), false)
    t.equal(await ask('NULL, NULL::uuid'), false)
  })
})

t.test('no update sets the column of deletions, in the application and in the database', async t => {
  t.same(await decided('ada', 'update', () => ({ deleted_at: '2026-01-01T00:00:00Z' })), [])
  for (const user of ['ada', 'root'] as const) {
    await acting(app, user, () =>
      t.rejects(app.query('UPDATE papers SET deleted_at = now()'), { code: '42501' })
    )
  }
  await owner.query('GRANT UPDATE ON papers TO authz_platform_admin')
  await acting(app, 'root', () =>
    t.rejects(app.query('UPDATE papers SET deleted_at = now()'), {
      message: 'paper.deleted_at is set by a soft delete alone'
    })
  )
  await migrate({ database: owner, bundle })
})

t.test('sharing is allowed exactly where an update with these changes is', async t => {
  let allowed = 0
  const calls: readonly [string, (row: Record<string, unknown>) => object][] = [
    [
      `share('paper', ID::uuid, '${DEMO.initech}')`,
      row => ({
        is_shared: true,
        sharing_mode: row['is_shared'] === true && row['sharing_mode'] === 'global' ? 'global' : 'selective',
        shared_with: [...sharedWith(row).filter(one => one !== DEMO.initech), DEMO.initech]
      })
    ],
    [`unshare('paper', ID::uuid)`, () => ({ is_shared: false, sharing_mode: 'private', shared_with: [] })],
    [`share_globally('paper', ID::uuid)`, () => ({ is_shared: true, sharing_mode: 'global' })],
    [`transfer('paper', ID::uuid, '${DEMO.initech}')`, () => ({ tenant_id: DEMO.initech })]
  ]
  for (const user of USERS) {
    for (const [call, changes] of calls) {
      const expected = await decided(user, 'update', changes)
      t.same(await done(user, call), expected, `${user} ${call}`)
      allowed += expected.length
    }
  }
  t.ok(allowed > 100 && allowed < papers.length * USERS.length * calls.length, `${allowed}`)
})

function sharedWith(row: Record<string, unknown>): readonly unknown[] {
  const isShared = row['is_shared'] === true && row['sharing_mode'] !== 'private'
  return isShared && Array.isArray(row['shared_with']) ? row['shared_with'] : []
}

t.test('the three columns of sharing are always in one state', async t => {
  const { rows: made } = await owner.query(
    `INSERT INTO papers (tenant_id, shared_with) VALUES ('${DEMO.acme}', '{${DEMO.globex}}') RETURNING id`
  )
  const id: string = made[0].id
  const state = async (call: string) => {
    await acting(app, 'ada', async () => {
      t.same((await app.query(`SELECT twinrule.${call.replace('ID', `'${id}'::uuid`)} AS done`)).rows, [
        { done: true }
      ])
      await app.query('COMMIT')
    })
    const { rows } = await owner.query(
      'SELECT is_shared, sharing_mode, shared_with FROM papers WHERE id = $1',
      [id]
    )
    return [rows[0].is_shared, rows[0].sharing_mode, rows[0].shared_with]
  }
  t.same(
    await state(`share('paper', ID, '${DEMO.initech}')`),
    [true, 'selective', [DEMO.initech]],
    'the list of a private row is forgotten'
  )
  t.same(await state(`share('paper', ID, '${DEMO.initech}')`), [true, 'selective', [DEMO.initech]], 'once')
  t.same(await state(`share('paper', ID, '${DEMO.globex}')`), [
    true,
    'selective',
    [DEMO.initech, DEMO.globex]
  ])
  t.same(await state(`unshare('paper', ID, '${DEMO.initech}')`), [true, 'selective', [DEMO.globex]])
  t.same(
    await state(`unshare('paper', ID, '${DEMO.globex}')`),
    [false, 'private', []],
    'with nobody is not shared'
  )
  t.same(await state(`share_globally('paper', ID)`), [true, 'global', []])
  t.same(
    await state(`share('paper', ID, '${DEMO.globex}')`),
    [true, 'global', [DEMO.globex]],
    'everybody still has it'
  )
  t.same(await state(`unshare('paper', ID)`), [false, 'private', []])
  await acting(app, 'ada', () =>
    t.rejects(app.query(`SELECT twinrule.share('paper', '${id}'::uuid, NULL)`), { code: '22004' })
  )
  await owner.query('DELETE FROM papers WHERE id = $1', [id])
})

t.test('what a function writes is not written otherwise', async t => {
  for (const user of ['ada', 'root'] as const) {
    for (const change of [
      'is_shared = true',
      "sharing_mode = 'global'",
      'shared_with = NULL',
      'tenant_id = tenant_id'
    ]) {
      await acting(app, user, () =>
        t.rejects(app.query(`UPDATE papers SET ${change}`), { code: '42501' }, change)
      )
    }
    await acting(app, user, () =>
      app.query("UPDATE papers SET folder_id = NULL WHERE sharing_mode <> 'global'")
    )
  }
})

t.test(
  'the owners of these functions are nobody, and their policies are those of the caller’s role',
  async t => {
    const { rows: roles } = await owner.query(
      `SELECT rolname, rolcanlogin OR rolsuper OR rolbypassrls OR rolinherit AS strong FROM pg_roles WHERE rolname IN ('twinrule_remover', 'twinrule_sharer') ORDER BY 1`
    )
    t.same(roles, [
      { rolname: 'twinrule_remover', strong: false },
      { rolname: 'twinrule_sharer', strong: false }
    ])
    for (const login of ['twinrule_app', 'twinrule_service']) {
      const client = await database.client(login)
      for (const role of ['twinrule_remover', 'twinrule_sharer']) {
        await t.rejects(client.query(`SET ROLE ${role}`), { code: '42501' })
      }
      await client.end()
    }
    const service = await database.client('twinrule_service')
    await t.rejects(service.query(`SELECT twinrule.soft_delete('paper', '${DEMO.agent(1)}'::uuid)`), {
      code: '42501'
    })
    await service.end()
    const granted = await owner.query(
      `SELECT g.rolname AS role, a.privilege_type AS right, string_agg(c.attname, ' ' ORDER BY c.attname) AS columns
     FROM pg_attribute AS c, aclexplode(c.attacl) AS a JOIN pg_roles AS g ON g.oid = a.grantee
     WHERE c.attrelid = 'papers'::regclass AND g.rolname IN ('twinrule_remover', 'twinrule_sharer') GROUP BY 1, 2 ORDER BY 1, 2`
    )
    t.same(granted.rows, [
      { role: 'twinrule_remover', right: 'SELECT', columns: 'deleted_at id' },
      { role: 'twinrule_remover', right: 'UPDATE', columns: 'deleted_at' },
      {
        role: 'twinrule_sharer',
        right: 'SELECT',
        columns: 'id is_shared shared_with sharing_mode tenant_id'
      },
      { role: 'twinrule_sharer', right: 'UPDATE', columns: 'is_shared shared_with sharing_mode tenant_id' }
    ])
    const call = `SELECT twinrule.soft_delete('paper', '${papers[1]?.id}'::uuid) AS done`
    await app.query('BEGIN')
    t.same((await app.query(call)).rows, [{ done: false }], 'without a context')
    await app.query('SET LOCAL ROLE authz_platform_admin')
    t.same((await app.query(call)).rows, [{ done: false }], 'in a role that was not entered with leave')
    await app.query('ROLLBACK')
  }
)

t.test('they go when the policy does not ask for them any more', async t => {
  const less = compiled(
    POLICY.replace('    soft_delete: deleted_at\n    delete_through: remove\n', '').replaceAll(
      /, through: \w+/g,
      ''
    )
  )
  await migrate({ database: owner, bundle: less })
  const left = await owner.query(
    `SELECT proname AS name FROM pg_proc WHERE pronamespace = 'twinrule'::regnamespace AND proname IN ('soft_delete', 'remove', 'share', 'unshare', 'share_globally', 'transfer')
     UNION ALL SELECT polname FROM pg_policy WHERE polname ~ '_(remover|remover_delete|sharer|writers)$'
     UNION ALL SELECT attname FROM pg_attribute WHERE attacl::text ~ 'twinrule_(remover|sharer)'`
  )
  t.same(left.rows, [])
  await acting(app, 'ada', async () => {
    t.ok(
      Number(
        (
          await app.query(
            'UPDATE papers SET is_shared = NOT is_shared WHERE tenant_id = $1 AND folder_id IS NULL',
            [DEMO.acme]
          )
        ).rowCount
      ) > 0
    )
  })
  await migrate({ database: owner, bundle })
  t.same((await migrate({ database: owner, bundle })).steps, [])
  await migrate({ database: owner, bundle, direction: 'down' })
})
