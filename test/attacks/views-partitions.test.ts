import type pg from 'pg'
import t, { type Test } from 'tap'
import { createDriftCheck } from '../../src/drift/check.js'
import type { Bundle } from '../../src/ir/model.js'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Postgres, TEST_PASSWORD } from '../support/cluster.js'
import { acting, DEMO, demoDatabase, exampleBundle } from '../support/example.js'
import { SECRET } from './attack.js'

const PARTED = `
version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, title: text!, locked: bool! }
    immutable: [id, tenant_id]
    column_rules: [{ columns: [title], when: '!resource.locked' }]
    rules: { mine: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id } }
`
const NOTES = `CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid NOT NULL, title text NOT NULL, locked boolean NOT NULL, level int DEFAULT 1)
  PARTITION BY LIST (tenant_id);
CREATE TABLE notes_acme PARTITION OF notes FOR VALUES IN ('${DEMO.acme}');
CREATE TABLE notes_globex PARTITION OF notes FOR VALUES IN ('${DEMO.globex}');
INSERT INTO notes VALUES ('${SECRET.id}', '${DEMO.acme}', '${SECRET.name}', true), ('${DEMO.agent(4)}', '${DEMO.globex}', 'of gus', true)`

function compiled(text: string): Bundle {
  const { bundle, problems } = loadTexts({ 'p.yaml': text })
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

const example = await exampleBundle()
const parted = compiled(PARTED)
const passwords = { app: TEST_PASSWORD, service: TEST_PASSWORD }

/** What a superuser and the attacker have, on one database under a policy. */
async function field(t: Test, bundle: Bundle, server: Postgres, before?: string) {
  const database = await demoDatabase(t, example, server)
  const owner = await database.client()
  if (before !== undefined) {
    await owner.query(before)
    await migrate({ database: owner, bundle, passwords })
  }
  const app = await database.client('twinrule_app')
  t.teardown(() => Promise.all([owner.end(), app.end()]))
  const check = createDriftCheck(bundle, { maxModels: 200_000 })
  return {
    database,
    owner,
    /** What gus gets by a statement: the names in it, or the SQLSTATE. */
    gus: (statement: string) => asGus(app, statement),
    /** Statements of a superuser: null, or the SQLSTATE. */
    does: (statement: string) =>
      owner.query(statement).then(
        () => null,
        async (error: { code: string }) => {
          await owner.query('ROLLBACK')
          return error.code
        }
      ),
    open: async () =>
      (await owner.query('SELECT relation FROM twinrule.unprotected()')).rows.map(({ relation }) => relation),
    drift: async () => (await check(owner)).findings.map(({ code, object }) => `${code} ${object}`)
  }
}

async function asGus(app: pg.Client, statement: string): Promise<string | readonly string[]> {
  return acting(app, 'gus', () =>
    app.query(statement).then(
      ({ rows }) => rows.map(row => row.name ?? row.title).sort(),
      (error: { code: string }) => error.code
    )
  )
}

const GUARD = 'ALTER EVENT TRIGGER twinrule_guard_new_tables'

for (const server of ['usual', 'registry'] as const) {
  t.test(`views over tables of the policy, ${server}`, async t => {
    const { owner, gus, does, open, drift } = await field(t, example, server)
    const own = await gus('SELECT name FROM agents')
    const grant = (name: string) => `GRANT SELECT ON ${name} TO twinrule_app`
    const leaking: Readonly<Record<string, string>> = {
      everything: 'CREATE VIEW everything AS SELECT * FROM agents',
      barred: 'CREATE VIEW barred WITH (security_barrier) AS SELECT * FROM agents',
      kept: 'CREATE MATERIALIZED VIEW kept AS SELECT * FROM agents'
    }
    for (const [name, made] of Object.entries(leaking)) {
      const drop = `DROP ${name === 'kept' ? 'MATERIALIZED ' : ''}VIEW IF EXISTS ${name}`
      t.equal(
        await does(`BEGIN; ${made}; ${grant(name)}; COMMIT`),
        '55000',
        `${name} is refused by the guard`
      )
      await owner.query(`${GUARD} DISABLE; ${made}; ${grant(name)}; ${GUARD} ENABLE`)
      t.ok((await gus(`SELECT name FROM ${name}`)).includes(SECRET.name), `${name} leaks without it`)
      t.same(await open(), [`public.${name}`])
      t.same(await drift(), [`TWR_DRIFT_OPEN public.${name}`])
      await owner.query(drop)
    }
    await owner.query(`CREATE VIEW mine WITH (security_invoker) AS SELECT * FROM agents; ${grant('mine')}`)
    t.same(
      await gus('SELECT name FROM mine'),
      own,
      'a view with the rights of who reads it shows what the table does'
    )
    t.same([await open(), await drift()], [[], []])
    t.equal(await does('ALTER VIEW mine RESET (security_invoker)'), '55000', 'and stays one')
    await owner.query('CREATE VIEW inner_one AS SELECT * FROM agents')
    await owner.query(
      `CREATE VIEW outer_one WITH (security_invoker) AS SELECT * FROM inner_one; ${grant('outer_one')}`
    )
    t.equal(await gus('SELECT name FROM outer_one'), '42501', 'over a view that is closed')
    t.same([await open(), await drift()], [[], []])
  })

  t.test(`a view that was open before twinrule came is said at once, ${server}`, async t => {
    const database = await createDatabase(t, server)
    const owner = await database.client()
    t.teardown(() => owner.end())
    await owner.query(`CREATE TABLE notes (id uuid NOT NULL, tenant_id uuid NOT NULL, title text NOT NULL, locked boolean NOT NULL);
      CREATE VIEW everything AS SELECT * FROM notes; GRANT SELECT ON everything TO PUBLIC`)
    const lines: string[] = []
    await migrate({ database: owner, bundle: parted, passwords, log: line => lines.push(line) })
    t.match(lines, [
      'warning: public.everything is open to twinrule_app, twinrule_lister outside of row-level security'
    ])
    const { findings, notes } = await createDriftCheck(parted, { maxModels: 200_000 })(owner)
    t.same(findings, [])
    t.match(notes, [/applications reach public\.everything outside of row-level security/])
  })

  t.test(`a partitioned table and its partitions, ${server}`, async t => {
    const { owner, gus, does, open, drift } = await field(t, parted, server, NOTES)
    const READ = 'SELECT title FROM '
    t.same(await gus(`${READ}notes`), ['of gus'])
    for (const leaf of ['notes_acme', 'notes_globex']) {
      t.equal(await gus(READ + leaf), '42501', leaf)
      t.equal(await gus(`UPDATE ${leaf} SET title = 'x'`), '42501', leaf)
      t.equal(
        await does(`GRANT SELECT ON ${leaf} TO twinrule_app`),
        '55000',
        `${leaf} is refused by the guard`
      )
    }
    t.equal(await gus("UPDATE notes SET title = 'x'"), '42501', 'a column rule holds in a partition')
    t.same(await gus('UPDATE notes SET level = 2 RETURNING title'), ['of gus'])
    t.same([await open(), await drift()], [[], []])
    await owner.query('ALTER TABLE notes_globex DISABLE TRIGGER ALL')
    t.same(await gus("UPDATE notes SET title = 'x'"), [], 'no column rule in a partition without the trigger')
    t.same(await drift(), ['TWR_DRIFT_TRIGGER A_twinrule_notes_columns ON public.notes'])
    await owner.query('ALTER TABLE notes_globex ENABLE TRIGGER ALL')
    await owner.query(`${GUARD} DISABLE; GRANT SELECT ON notes_acme TO twinrule_app; ${GUARD} ENABLE`)
    t.same(await gus(`${READ}notes_acme`), [SECRET.name], 'without the guard it leaks')
    t.same(await open(), ['public.notes_acme'])
    t.same(await drift(), ['TWR_DRIFT_OPEN public.notes_acme'])
    await owner.query('REVOKE SELECT ON notes_acme FROM twinrule_app')
    // with row-level security of its own it is closed, whatever is granted
    await owner.query(
      `ALTER TABLE notes_acme ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; GRANT SELECT ON notes_acme TO twinrule_app`
    )
    t.same(await gus(`${READ}notes_acme`), [])
    t.same([await open(), await drift()], [[], []])
  })

  t.test(`partitions that come later, ${server}`, async t => {
    const { owner, gus, does, open, drift } = await field(t, parted, server, NOTES)
    const leaf = `CREATE TABLE notes_initech PARTITION OF notes FOR VALUES IN ('${DEMO.initech}')`
    const defaults = 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO twinrule_app'
    t.equal(await does(`BEGIN; ${defaults}; ${leaf}; COMMIT`), '55000', 'a new one that is granted at once')
    const apart = `CREATE TABLE apart (LIKE notes); INSERT INTO apart VALUES (gen_random_uuid(), '${DEMO.initech}', 'of ivy', false)`
    const attach = `ALTER TABLE notes ATTACH PARTITION apart FOR VALUES IN ('${DEMO.initech}')`
    await owner.query(
      `BEGIN; SET LOCAL twinrule.allow_unprotected = 'on'; ${apart}; GRANT SELECT ON apart TO twinrule_app; COMMIT`
    )
    t.equal(await does(attach), '55000', 'one that is open and attached')
    await owner.query(`REVOKE SELECT ON apart FROM twinrule_app; ${attach}`)
    t.same(await gus('SELECT title FROM notes'), ['of gus'], 'its rows are under the policies of the table')
    t.equal(await gus('SELECT title FROM apart'), '42501')
    t.same([await open(), await drift()], [[], []])
    await owner.query('ALTER TABLE notes DETACH PARTITION apart')
    t.equal(await gus('SELECT title FROM apart'), '42501', 'detached')
  })

  t.test(`what would take rows past the guard of the columns is refused and found, ${server}`, async t => {
    const { owner, drift } = await field(t, parted, server, NOTES)
    const run = () => migrate({ database: owner, bundle: parted, whole: true })
    // tenant_id and level make a second way to part rows, which updates may change
    await owner.query(
      `CREATE TABLE notes_more PARTITION OF notes FOR VALUES IN ('${DEMO.initech}') PARTITION BY RANGE (level)`
    )
    t.same(await drift(), ['TWR_DRIFT_TABLE public.notes'])
    await t.rejects(run(), /partitioned by what updates may change \(notes_more by RANGE \(level\)\)/)
    await owner.query('DROP TABLE notes_more')
    await owner.query(
      `CREATE TABLE notes_more PARTITION OF notes FOR VALUES IN ('${DEMO.initech}') PARTITION BY HASH (id)`
    )
    await run()
    t.same(await drift(), [], 'a key that nobody changes')
    await owner.query(
      'ALTER TABLE notes RENAME TO parted; CREATE TABLE notes (LIKE parted); CREATE TABLE heir () INHERITS (notes)'
    )
    await t.rejects(run(), /tables inherit from public\.notes \(heir\)/)
    await owner.query('ALTER TABLE heir NO INHERIT notes')
    await run()
    await owner.query('ALTER TABLE heir INHERIT notes')
    t.same(await drift(), ['TWR_DRIFT_TABLE public.notes'])
  })
}
