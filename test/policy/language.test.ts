import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { COLUMNS, HEAD, problemsOf } from './cases.js'

t.test('relations are declared and asked in one way', async t => {
  const doc = (
    relations: string,
    when = "'true'",
    more = ''
  ) => `${HEAD}traits: { base: { columns: ${COLUMNS} } }
resources:
  folder: { table: folders, columns: { id: uuid!, name: text, n: int }, rules: { r: { allow: [read], when: 'true' } } }
  doc:
    table: docs
    use: [base]
    relations: ${relations}
    rules: { r: { allow: [read], when: ${when} }${more} }
`
  const FOLDER = '{ folder: { one: folder, local: owner } }'
  const SHARES = '{ shares: { many: doc_shares, columns: { tenant_id: uuid, level: text } } }'
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [doc(FOLDER, `'resource.folder.can("read")'`), []],
    [doc(FOLDER, "'resource.folder.exists(f, f.n == resource.n)'"), ['17:67 TWR_POLICY_TWO_COLUMNS']],
    [doc(FOLDER, `'resource.folder.exists(f, f.name == "x" && resource.open)'`), []],
    [doc(SHARES, `'resource.shares.exists(s, s.tenant_id == principal.tenant_id && s.level in ["a"])'`), []],
    [
      doc(SHARES, "'resource.shares.exists(s, s.levle == principal.id)'"),
      ['17:69 TWR_POLICY_UNKNOWN_COLUMN']
    ],
    [doc(SHARES, "'resource.share.exists(s, s.level == null)'"), ['17:50 TWR_POLICY_UNKNOWN_RELATION']],
    [doc(SHARES, "'resource.shares == null'"), ['17:50 TWR_POLICY_TYPE']],
    [doc(SHARES, `'resource.shares.level == "x"'`), ['17:41 TWR_POLICY_SYNTAX']],
    [doc(SHARES, `'resource.shares.can("read")'`), ['17:41 TWR_POLICY_RELATION']],
    [doc(FOLDER, `'resource.folder.can("update")'`), ['17:61 TWR_POLICY_UNSUPPORTED']],
    [doc(FOLDER, `'!resource.folder.can("read")'`), ['17:14 TWR_POLICY_NOT_PORTABLE']],
    [doc(FOLDER, `'true'`, `, f: { forbid: [read], when: 'resource.folder.exists(f, f.n == 1)' }`), []],
    [
      doc(FOLDER, "'resource.folder.exists(f, f.n == 1) && resource.folder.exists(f, f.n == 2)'"),
      ['17:14 TWR_POLICY_NOT_PORTABLE']
    ],
    [
      doc(FOLDER, "'resource.folder.exists(f, resource.folder.exists(g, g.n == 1))'"),
      ['17:67 TWR_POLICY_UNSUPPORTED']
    ],
    [doc(FOLDER, "'resource.folder.exists(f, g.n == 1)'"), ['17:67 TWR_POLICY_SYNTAX']],
    [doc(FOLDER, "'resource.folder.exists(principal, true)'"), ['17:64 TWR_POLICY_RESERVED']],
    [doc('{ folder: { one: foldr } }'), ['16:33 TWR_POLICY_RELATION']],
    [doc('{ folder: { one: folder, local: ownr } }'), ['16:48 TWR_POLICY_RELATION']],
    [doc('{ folder: { one: folder, local: n } }'), ['16:18 TWR_POLICY_RELATION']],
    [doc('{ folder: { local: owner } }'), ['16:18 TWR_POLICY_RELATION']],
    [doc('{ self: { one: doc, local: owner } }'), ['16:31 TWR_POLICY_RELATION']],
    [doc('{ owner: { one: folder, local: owner } }'), ['16:18 TWR_POLICY_DUPLICATE']]
  ]
  for (const [text, expected] of cases)
    t.same(problemsOf(text), expected, text.split('\n').slice(15).join(' '))
})

t.test('forbids, column rules and added actions are checked like everything else', async t => {
  const doc = (body: string) => `${HEAD}resources: { doc: { columns: ${COLUMNS}, ${body} } }`
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [doc('rules: { r: { forbid: [read], when: mine } }'), []],
    [doc('rules: { r: { forbid: [wirte], when: mine } }'), ['10:149 TWR_POLICY_ACTION']],
    [doc('rules: { r: { forbid: [read], allow: [read], when: mine } }'), ['10:135 TWR_POLICY_EFFECT']],
    [doc('rules: { r: { when: mine } }'), ['10:135 TWR_POLICY_EFFECT']],
    [doc('rules: { r: { forbid: [delete], when: mine, check: mine } }'), ['10:170 TWR_POLICY_USELESS_CHECK']],
    [doc('immutable: [id, tenant]'), ['10:142 TWR_POLICY_UNKNOWN_COLUMN']],
    [doc('column_rules: [{ columns: [nn], when: mine }]'), ['10:153 TWR_POLICY_UNKNOWN_COLUMN']],
    [doc('column_rules: [{ columns: [n], when: minne }]'), ['10:163 TWR_POLICY_UNKNOWN_MACRO']],
    [doc('column_rules: [{ columns: [n] }]'), ['10:141 TWR_POLICY_SCHEMA']],
    [doc('column_rules: [{ columns: [n], when: mine, through: sharing }]'), ['10:178 TWR_POLICY_SCHEMA']],
    [doc('column_rules: [{ columns: [n], when: mine, through: transfer }]'), ['10:178 TWR_POLICY_THROUGH']],
    [
      doc('column_rules: [{ columns: [tenant_id], when: mine, through: share }]'),
      ['10:186 TWR_POLICY_THROUGH']
    ],
    [doc('column_rules: [{ columns: [tenant_id], when: mine, through: transfer }]'), []],
    [
      doc('column_rules: [{ columns: [tenant_id, n], when: mine, through: transfer }]'),
      ['10:189 TWR_POLICY_THROUGH']
    ],
    [doc('soft_delete: open'), ['10:139 TWR_POLICY_SOFT_DELETE']],
    [doc('soft_delete: opne'), ['10:139 TWR_POLICY_UNKNOWN_COLUMN']],
    [doc('soft_delete: [open]'), ['10:139 TWR_POLICY_SCHEMA']],
    [doc('delete_through: remove'), []],
    [doc('delete_through: soft_delete'), ['10:142 TWR_POLICY_SCHEMA']],
    [
      `${HEAD}actions: { publish: { command: update }, invoke: {} }\nresources: { doc: { columns: ${COLUMNS}, rules: { r: { allow: [publish, invoke], when: mine } } } }`,
      []
    ],
    [`${HEAD}actions: { update: {} }`, ['10:12 TWR_POLICY_RESERVED']],
    [`${HEAD}actions: { manage: {} }`, ['10:12 TWR_POLICY_RESERVED']],
    [`${HEAD}actions: { publish: { command: publish } }`, ['10:32 TWR_POLICY_SCHEMA']]
  ]
  for (const [text, expected] of cases) t.same(problemsOf(text), expected, text.split('\n').at(-1) ?? '')
})

t.test('invariants are about every resource that has the columns, or about the named ones', async t => {
  const file = (invariant: string) => `${HEAD}resources:
  doc: { columns: ${COLUMNS} }
  other: { columns: { id: uuid!, tenant_id: uuid } }
invariants:
  - ${invariant}
`
  const about = (invariant: string) =>
    loadTexts({ 'p.yaml': file(invariant) }).bundle?.invariants.map(
      ({ kind, resource }) => `${kind} ${resource}`
    )
  t.same(about("never: { action: read, when: '!mine' }"), ['never doc', 'never other'])
  t.same(about('possible: { action: read, when: resource.open }'), ['possible doc'])
  t.same(about('unchanged: { columns: [tenant_id] }'), ['only_when doc', 'only_when other'])
  t.same(about('only_when: { changes: [n], when: mine }'), ['only_when doc'])
  t.same(about('only_when: { changes: [tenant_id], when: mine, resources: [other] }'), ['only_when other'])
  const cases: readonly (readonly [string, string])[] = [
    ['never: { action: reed, when: mine }', '14:22 TWR_POLICY_ACTION'],
    ['never: { action: read, when: resource.nope }', '14:43 TWR_POLICY_UNKNOWN_COLUMN'],
    ['never: { action: read, when: minne }', '14:34 TWR_POLICY_UNKNOWN_MACRO'],
    ['never: { action: read }', '14:5 TWR_POLICY_SCHEMA'],
    ['nevr: { action: read, when: mine }', '14:5 TWR_POLICY_SCHEMA'],
    ['unchanged: { columns: [nope] }', '14:28 TWR_POLICY_UNKNOWN_COLUMN'],
    ['unchanged: { columns: [id], resources: [docs] }', '14:45 TWR_POLICY_INVARIANT']
  ]
  for (const [invariant, expected] of cases) t.same(problemsOf(file(invariant)), [expected], invariant)
})

t.test('an unknown trait is one mistake, also where invariants read its columns', async t => {
  const file = `${HEAD}resources: { doc: { use: [sharabel] } }
invariants:
  - unchanged: { columns: [tenant_id] }
  - never: { action: read, when: '!mine' }
`
  t.same(problemsOf(file), ['10:27 TWR_POLICY_UNKNOWN_TRAIT'])
})

t.test('soft_delete is null until the deletion, declared once, and no update changes it', async t => {
  const file = (columns: string, more = '') => `${HEAD}traits:
  kept: { columns: { gone: timestamptz }, soft_delete: gone }
resources:
  doc: { columns: { id: uuid!, ${columns} }, ${more} }
`
  const { bundle } = loadTexts({ 'p.yaml': file('n: int', 'use: [kept], immutable: [id]') })
  t.match(bundle?.resources, [{ softDelete: 'gone', immutable: ['gone', 'id'] }])
  t.match(loadTexts({ 'p.yaml': file('n: int', 'use: []') }).bundle?.resources, [
    { softDelete: null, immutable: [] }
  ])
  t.same(problemsOf(file('at: timestamptz!', 'soft_delete: at')), ['13:65 TWR_POLICY_SOFT_DELETE'])
  t.same(problemsOf(file('at: timestamptz', 'use: [kept], soft_delete: at')), ['13:64 TWR_POLICY_DUPLICATE'])
  t.same(
    problemsOf(file('at: timestamp', 'soft_delete: at')),
    ['13:36 TWR_POLICY_UNKNOWN_TYPE'],
    'reported once'
  )
})

t.test('share() writes columns of one shape', async t => {
  const file = (mode: string, shared = 'set<uuid>', is = 'bool') => `${HEAD}resources:
  doc:
    columns: { id: uuid!, is_shared: ${is}, sharing_mode: ${mode}, shared_with: ${shared} }
    column_rules: [{ columns: [shared_with, is_shared, sharing_mode], when: principal.is_platform_admin, through: share }]
`
  const withModes = (...labels: readonly string[]) =>
    file('modes').replace('mode: [private, global]', `mode: [private, global], modes: [${labels.join(', ')}]`)
  t.same(problemsOf(file('text')), [])
  t.same(problemsOf(withModes('private', 'selective')), [])
  for (const wrong of [
    withModes('private', 'global'),
    file('bool'),
    file('text', 'set<text>'),
    file('text', 'uuid'),
    file('text', 'set<uuid>', 'text')
  ]) {
    t.same(problemsOf(wrong), ['13:115 TWR_POLICY_THROUGH'])
  }
  const revision = (text: string) => loadTexts({ 'p.yaml': text }).bundle?.revision
  t.not(revision(file('text')), revision(file('text').replace(', through: share', '')))
})

t.test('what only the database may say of a principal is part of the revision', async t => {
  const revision = (flag: string) =>
    loadTexts({ 'p.yaml': `version: 1\nprincipal: { id: uuid, is_admin: { type: bool, role: r${flag} } }\n` })
      .bundle?.revision
  t.ok(revision(''))
  t.not(revision(', source: lookup'), revision(''))
})
