import type pg from 'pg'
import t from 'tap'
import { checkLive } from '../../src/live/check.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Postgres } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const POLICY = `version: 1
enums: { mode: [open, closed] }
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    table: notes
    columns:
      id: uuid!
      tenant_id: uuid!
      mode: mode!
      readers: set<uuid>
      size: int
      until: timestamptz
      title: text
      tags: set<mode>
    relations:
      parent: { one: folder, local: tenant_id }
      shares: { many: shares, columns: { level: text!, user_id: uuid } }
    rules: { mine: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
  folder:
    table: folders
    columns: { id: uuid! }
    rules: { all: { allow: [read], when: "true" } }
`
const TABLES = `
CREATE TABLE folders (id uuid PRIMARY KEY);
CREATE TABLE shares (note_id uuid, level text NOT NULL, user_id uuid);
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, mode text NOT NULL CHECK (mode IN ('open', 'closed')),
  readers uuid[], size integer, until timestamptz, title varchar(20), tags text[] CHECK (tags <@ ARRAY['open', 'closed']));
CREATE INDEX ON notes (tenant_id); CREATE INDEX ON shares (note_id)`

/** A change of the tables, and the place, code and words that it must be told with. */
const CHANGES: readonly (readonly [change: string, place: string, code: string, message: RegExp])[] = [
  [
    'ALTER TABLE notes RENAME TO other',
    '5:3',
    'error TWR_CATALOG_TABLE',
    /public\.notes, which is not there/
  ],
  [
    'ALTER TABLE notes RENAME TO other; CREATE VIEW notes AS SELECT * FROM other',
    '5:3',
    'error TWR_CATALOG_TABLE',
    /no table/
  ],
  ['ALTER TABLE notes DROP readers', '11:16', 'error TWR_CATALOG_COLUMN', /note declares the column readers/],
  [
    'ALTER TABLE notes ALTER size TYPE numeric',
    '12:13',
    'error TWR_CATALOG_TYPE',
    /is numeric; note declares int/
  ],
  [
    'ALTER TABLE notes ALTER until TYPE timestamp',
    '13:14',
    'error TWR_CATALOG_TYPE',
    /timestamp without time zone; note declares timestamptz/
  ],
  ['ALTER TABLE notes ALTER title TYPE char(20)', '14:14', 'error TWR_CATALOG_TYPE', /is character;/],
  [
    'CREATE DOMAIN title AS text; ALTER TABLE notes ALTER title TYPE title',
    '14:14',
    'error TWR_CATALOG_TYPE',
    /a domain over text/
  ],
  ['ALTER TABLE notes ALTER readers TYPE text[]', '11:16', 'error TWR_CATALOG_TYPE', /declares set<uuid>/],
  [
    'ALTER TABLE notes ALTER tenant_id DROP NOT NULL',
    '9:18',
    'error TWR_CATALOG_NULL',
    /may be null; note declares uuid!/
  ],
  ['ALTER TABLE notes ALTER size SET NOT NULL', '12:13', 'warning TWR_CATALOG_NULL', /is never null/],
  ['ALTER TABLE notes DROP CONSTRAINT notes_mode_check', '10:13', 'error TWR_CATALOG_ENUM', /nothing keeps/],
  [
    "ALTER TABLE notes DROP CONSTRAINT notes_mode_check, ADD CHECK (mode = ANY ('{open,closed}'))",
    '10:13',
    'error TWR_CATALOG_ENUM',
    /nothing keeps/
  ],
  [
    "ALTER TABLE notes DROP CONSTRAINT notes_mode_check, ADD CHECK (mode = 'open' OR mode = 'closed' OR mode = 'lost')",
    '10:13',
    'error TWR_CATALOG_ENUM',
    /may be "lost", which mode of note does not have/
  ],
  [
    "ALTER TABLE notes DROP CONSTRAINT notes_mode_check, ADD CHECK (mode IN ('open') AND length(mode) > 2)",
    '10:13',
    'warning TWR_CATALOG_ENUM',
    /can never be "closed"/
  ],
  [
    "ALTER TABLE notes DROP CONSTRAINT notes_mode_check, ADD CHECK (mode IN ('open', 'closed')) NOT VALID",
    '10:13',
    'warning TWR_CATALOG_ENUM',
    /older rows/
  ],
  [
    "CREATE TYPE mode AS ENUM ('open', 'closed'); ALTER TABLE notes DROP CONSTRAINT notes_mode_check, ALTER mode TYPE mode USING mode::mode",
    '10:13',
    'error TWR_CATALOG_TYPE',
    /is mode, an enum type|is public\.mode, an enum type/
  ],
  [
    "ALTER TABLE notes DROP CONSTRAINT notes_tags_check, ADD CHECK (tags <@ ARRAY['open', 'x'])",
    '15:13',
    'error TWR_CATALOG_ENUM',
    /may be "x"/
  ],
  [
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE notes ALTER title TYPE text COLLATE loose",
    '14:14',
    'error TWR_CATALOG_COLLATION',
    /collation loose/
  ],
  [
    'ALTER TABLE notes DROP CONSTRAINT notes_pkey',
    '8:11',
    'error TWR_CATALOG_KEY',
    /notes\.id is not unique/
  ],
  [
    'ALTER TABLE notes DROP CONSTRAINT notes_pkey, ADD PRIMARY KEY (tenant_id, id)',
    '8:11',
    'error TWR_CATALOG_KEY',
    /not unique by itself/
  ],
  [
    'DROP INDEX notes_tenant_id_idx',
    '9:18',
    'warning TWR_CATALOG_INDEX',
    /no btree index that begins with tenant_id/
  ],
  [
    'DROP INDEX notes_tenant_id_idx; CREATE INDEX ON notes (tenant_id) WHERE size > 1',
    '9:18',
    'warning TWR_CATALOG_INDEX',
    /look at every row/
  ],
  ['ALTER TABLE folders DROP CONSTRAINT folders_pkey', '17:7', 'error TWR_CATALOG_KEY', /leads to one row/],
  [
    'ALTER TABLE shares ALTER level DROP NOT NULL',
    '18:49',
    'error TWR_CATALOG_NULL',
    /shares\.level may be null/
  ],
  [
    'ALTER TABLE shares DROP note_id',
    '18:7',
    'error TWR_CATALOG_COLUMN',
    /note\.shares declares the column note_id/
  ],
  [
    'ALTER TABLE shares RENAME TO other',
    '18:7',
    'error TWR_CATALOG_TABLE',
    /note\.shares names the table public\.shares/
  ]
]

async function look(client: pg.Client, text = POLICY) {
  const { bundle, problems } = loadTexts({ 'notes.yaml': text })
  if (bundle === null) throw new Error(problems.join('\n'))
  const { mismatches } = await checkLive(client, bundle)
  return mismatches.map(({ severity, problem: { span, code, message, hint } }) => {
    return { place: `${span.line}:${span.column}`, code: `${severity} ${code}`, message, hint }
  })
}

for (const server of ['usual', 'registry'] as const satisfies readonly Postgres[]) {
  t.test(`each mismatch at its place in the policy file, on the ${server} server`, async t => {
    const database = await createDatabase(t, server)
    const client = await database.client()
    t.teardown(() => client.end())
    await client.query(TABLES)
    t.same(await look(client), [], 'nothing where everything fits')
    for (const [change, place, code, message] of CHANGES) {
      await client.query('BEGIN')
      const made = await client.query(change).then(
        () => true,
        (error: Error) => t.comment(`${change}: ${error.message}`)
      )
      const found = made === true ? await look(client) : []
      await client.query('ROLLBACK')
      if (made !== true) {
        t.match(change, /provider = icu/, 'only a server without ICU cannot do all of this')
        continue
      }
      const one = found.find(each => each.code === code && each.place === place)
      t.match(one ?? found, { place, code, message }, change)
      t.ok(one?.hint, `what to do: ${one?.hint}`)
    }
  })
}

t.test('the tables that twinrule makes fit the policies of the repository', async t => {
  const bundle = await exampleBundle()
  const database = await demoDatabase(t, bundle)
  const client = await database.client('twinrule_service')
  t.teardown(() => client.end())
  const { mismatches, tables, columns } = await checkLive(client, bundle)
  t.same(mismatches, [])
  t.same([tables, columns], [5, 50])
  const { bundle: collaboration } = await loadFolder('examples/collaboration/policies')
  if (collaboration === null) throw new Error('the example does not compile')
  const found = await checkLive(client, collaboration)
  t.match(
    found.mismatches.map(({ problem }) => `${problem}`),
    [/collaboration\.yaml:\d+:\d+ TWR_CATALOG_/],
    'its own tables are not there'
  )
})

t.test('a key that tells of hidden rows is a warning, where somebody may write', async t => {
  const client = await (await createDatabase(t)).client()
  t.teardown(() => client.end())
  await client.query(TABLES)
  await client.query(`ALTER TABLE folders ADD tenant_id uuid;
    ALTER TABLE notes ADD UNIQUE (tenant_id, title);
    ALTER TABLE notes ADD FOREIGN KEY (tenant_id) REFERENCES folders (id)`)
  const written = POLICY.replace('allow: [read], when: resource', 'allow: [read, update], when: resource')
  t.same(await look(client, written), [], 'the tenant is part of these keys')
  await client.query(`CREATE UNIQUE INDEX ON notes (title) WHERE size > 1; CREATE UNIQUE INDEX ON notes (lower(title));
    ALTER TABLE notes ADD folder_id uuid REFERENCES folders, ADD share_id int UNIQUE`)
  t.same(await look(client), [], 'who writes nothing asks no key')
  const found = await look(client, written)
  t.ok(found.every(({ code, place }) => code === 'warning TWR_CATALOG_ORACLE' && place === '5:3'))
  const messages = found.map(({ message }) => message).sort()
  t.match(messages, [
    /foreign key on \(folder_id\) to public\.folders/,
    /unique index on \(an expression\)/,
    /unique index on \(share_id\)/,
    /unique index on \(title\)/
  ])
  t.equal(messages.length, 4)
  t.match(found.find(({ message }) => message.includes('(title)'))?.hint, /\(tenant_id, title\)/)
})
