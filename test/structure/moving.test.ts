import { AbilityBuilder, createMongoAbility, subject } from '@casl/ability'
import { PGlite } from '@electric-sql/pglite'
import { evaluate } from '@marcbachmann/cel-js'
import t from 'tap'
import { parse } from 'yaml'
import { createEngine } from '../../src/engine/engine.js'
import { loadTexts } from '../../src/policy/load.js'
import { documents } from './documents.js'

const { blocks = [] } = documents().find(({ file }) => file === 'docs/moving.md') ?? {}
const of = (language: string) => blocks.filter(one => one.language === language).map(one => one.text)
const [POLICY = '', CERBOS = ''] = of('yaml')
const [CASL = ''] = of('js')
const [SQL = ''] = of('sql')

const uuid = (n: number) => `00000000-0000-0000-0000-00000000000${n}`
const USER = { id: uuid(1), tenant_id: uuid(2) }
const ACTIONS = ['read', 'create', 'update', 'delete'] as const

interface Note {
  readonly id: string
  readonly tenant_id: string
  readonly owner_id: string
  readonly open: boolean
  readonly locked: boolean
}
/** Every note that differs in what the rules look at. */
const NOTES: readonly Note[] = Array.from({ length: 16 }, (_, n) => ({
  id: `00000000-0000-0000-0001-0000000000${String(n).padStart(2, '0')}`,
  tenant_id: n & 1 ? USER.tenant_id : uuid(3),
  owner_id: n & 2 ? USER.id : uuid(4),
  open: (n & 4) > 0,
  locked: (n & 8) > 0
}))

const { bundle, problems } = loadTexts({ 'notes.yaml': POLICY })
if (bundle === null) throw new Error(problems.join('\n'))
const engine = createEngine(bundle)

/** What the policy of the page says of all notes and actions. */
const EXPECTED = NOTES.map(note =>
  ACTIONS.filter(
    name =>
      engine.decide({
        subject: { type: 'user', id: USER.id, properties: { tenant_id: USER.tenant_id } },
        action: { name },
        resource: { type: 'note', id: note.id, properties: { ...note } }
      }).decision
  ).join(' ')
)

t.test('the policy tells the notes apart', async t => {
  t.strictSame([...new Set(EXPECTED)].sort(), ['', 'read', 'read create update', 'read create update delete'])
})

t.test('the CASL rules of the page say the same', async t => {
  const { can, cannot, build } = new AbilityBuilder(createMongoAbility)
  new Function('can', 'cannot', 'user', CASL)(can, cannot, USER)
  const ability = build()
  const found = NOTES.map(note =>
    ACTIONS.filter(action => ability.can(action, subject('note', { ...note }))).join(' ')
  )
  t.strictSame(found, EXPECTED)
})

t.test('the Cerbos policy of the page says the same', async t => {
  const { rules } = parse(CERBOS).resourcePolicy as {
    rules: { actions: string[]; effect: string; condition: { match: { expr: string } } }[]
  }
  const counts = (note: Note, action: string, effect: string) =>
    rules.some(rule => {
      const at = { R: { attr: { ...note } }, P: { id: USER.id, attr: USER } }
      return (
        rule.effect === effect &&
        rule.actions.includes(action) &&
        evaluate(rule.condition.match.expr, at) === true
      )
    })
  const found = NOTES.map(note =>
    ACTIONS.filter(
      action => counts(note, action, 'EFFECT_ALLOW') && !counts(note, action, 'EFFECT_DENY')
    ).join(' ')
  )
  t.strictSame(found, EXPECTED)
})

t.test('the hand-written policies of the page say the same', { timeout: 120_000 }, async t => {
  const db = new PGlite()
  t.teardown(() => db.close())
  await db.exec(`CREATE TABLE notes (id uuid, tenant_id uuid, owner_id uuid, open bool, locked bool);
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE ROLE app; GRANT ALL ON notes TO app; ${SQL}`)
  const row = ({ id, tenant_id, owner_id, open, locked }: Note) =>
    `'${id}', '${tenant_id}', '${owner_id}', ${open}, ${locked}`
  for (const note of NOTES) await db.exec(`INSERT INTO notes VALUES (${row(note)})`)
  await db.exec(`SET app.user_id = '${USER.id}'; SET app.tenant_id = '${USER.tenant_id}'; SET ROLE app`)
  const reaches = async (sql: string) => {
    await db.exec('BEGIN')
    const result = await db.query(sql).catch(() => null)
    await db.exec('ROLLBACK')
    return result !== null && Math.max(result.rows.length, result.affectedRows ?? 0) === 1
  }
  const found: string[] = []
  for (const note of NOTES) {
    const statements = {
      read: `SELECT id FROM notes WHERE id = '${note.id}'`,
      create: `INSERT INTO notes VALUES (${row(note)})`,
      update: `UPDATE notes SET open = open WHERE id = '${note.id}'`,
      delete: `DELETE FROM notes WHERE id = '${note.id}'`
    }
    const allowed: string[] = []
    for (const action of ACTIONS) if (await reaches(statements[action])) allowed.push(action)
    found.push(allowed.join(' '))
  }
  t.strictSame(found, EXPECTED)
})
