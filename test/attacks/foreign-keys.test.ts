import t, { type Test } from 'tap'
import { migrate } from '../../src/migrate/migrate.js'
import { loadTexts } from '../../src/policy/load.js'
import { type Postgres, TEST_PASSWORD } from '../support/cluster.js'
import { acting, DEMO, demoDatabase, exampleBundle } from '../support/example.js'

const NOTES = `
version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, locked: bool!, folder_id: uuid }
    immutable: [id, tenant_id]
    column_rules: [{ columns: [folder_id], when: '!resource.locked' }]
    rules: { mine: { allow: [read, create, update], when: resource.tenant_id == principal.tenant_id } }
`
const TABLES = `CREATE TABLE folders (id uuid PRIMARY KEY);
INSERT INTO folders VALUES ('${DEMO.agent(1)}');
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, locked boolean NOT NULL, folder_id uuid REFERENCES folders (id));
INSERT INTO notes VALUES ('${DEMO.agent(4)}', '${DEMO.globex}', true, NULL)`
const [THERE, NOWHERE] = [DEMO.agent(1), '99999999-9999-4999-8999-999999999999']
const REFUSED = /^42501 a column rule/

/** The name of the trigger, told by what runs before a foreign key, and by how long a table may be called. */
const TRIGGERS = [
  ['notes', 'A_twinrule_notes_columns'],
  ['n'.repeat(63), /^A_twinrule_n{31}_[0-9a-f]{12}_columns$/]
] as const

for (const server of ['usual', 'registry'] as const) {
  t.test(`a column that nobody may change does not tell what its foreign key finds, ${server}`, async t => {
    for (const [table, trigger] of TRIGGERS) await closed(t, server, table, trigger)
  })
}

async function closed(t: Test, server: Postgres, table: string, trigger: string | RegExp) {
  const { bundle, problems } = loadTexts({ 'p.yaml': NOTES.replace('table: notes', `table: ${table}`) })
  if (bundle === null) throw new Error(problems.join('\n'))
  const database = await demoDatabase(t, await exampleBundle(), server)
  const owner = await database.client()
  await owner.query(TABLES.replaceAll(' notes ', ` ${table} `))
  const passwords = { app: TEST_PASSWORD, service: TEST_PASSWORD }
  const migrated = () => migrate({ database: owner, bundle, passwords })
  await migrated()
  const app = await database.client('twinrule_app')
  t.teardown(() => Promise.all([owner.end(), app.end()]))
  const answer = (folder: string) =>
    acting(app, 'gus', () =>
      app.query(`UPDATE ${table} SET folder_id = '${folder}'`).then(
        () => 'changed',
        (error: { code: string; message: string }) => `${error.code} ${error.message}`
      )
    )
  const triggers = async (): Promise<string[]> => {
    const { rows } = await owner.query(
      'SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = $1::regclass',
      [table]
    )
    return rows.map(({ tgname }) => tgname)
  }
  const names = await triggers()
  t.match(names, [trigger])
  t.match([await answer(THERE), await answer(NOWHERE)], [REFUSED, REFUSED], 'it says the same of both')

  // what a database has that was migrated when the name was another: foreign keys are looked up first
  await owner.query(`ALTER TRIGGER "${names[0]}" ON ${table} RENAME TO twinrule_columns`)
  t.match([await answer(THERE), await answer(NOWHERE)], [REFUSED, /^23503 /], 'it would tell them apart')
  await migrated()
  t.same(await triggers(), names, 'the next migrate leaves the new one alone')
  t.match(await answer(NOWHERE), REFUSED)
}
