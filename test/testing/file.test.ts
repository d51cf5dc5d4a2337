import { readFileSync } from 'node:fs'
import t from 'tap'
import type { Bundle } from '../../src/ir/model.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { readTestFile } from '../../src/testing/file.js'
import { requestOf } from '../../src/testing/lock.js'
import { TEST_SCHEMA } from '../../src/testing/schema.js'

const POLICY = `version: 1
principal: { id: uuid, tenant_id: uuid, tenant_type: text, tenant_status: text, tenant_role: text, roles: set<text>,
  is_platform_admin: { type: bool, role: authz_platform_admin } }
resources:
  folder:
    table: folders
    columns: { id: int!, tenant_id: uuid! }
    rules: { owner: { allow: [read], when: resource.tenant_id == principal.tenant_id } }
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, folder_id: int, title: text!, tags: set<uuid> }
    relations:
      folder: { one: folder }
      shares: { many: note_shares, columns: { user_id: uuid, level: text } }
    rules:
      owner: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      foldered: { allow: [read], when: 'resource.folder.can("read")' }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.user_id == principal.id)' }
      tagged: { allow: [read], when: principal.id in resource.tags }
  memo:
    columns: { id: text!, level: int! }
    relations: { marks: { many: marks, columns: { by: uuid } } }
    rules: { low: { allow: [read], when: 'resource.level < 5 || resource.marks.exists(m, m.by == principal.id)' } }
`

const { bundle } = loadTexts({ 'policy.yaml': POLICY })
const PRINCIPALS = `tenants: { acme: {}, globex: { type: solution }, closed: { status: suspended } }
principals:
  ada: { tenant: acme, role: owner, roles: [editor], global_roles: [platform_admin, auditor] }
  gus: { id: 00000000-0000-0000-0001-00000000000B, tenant: globex }
  cas: { tenant: closed }
  solo: {}
`

function read(rest: string, policy: Bundle | null = bundle) {
  return readTestFile(policy as Bundle, 'x.test.yaml', `version: 1\n${PRINCIPALS}${rest}`)
}

function mistakes(rest: string): readonly string[] {
  const { test, problems } = read(rest)
  if (test !== null) throw new Error('there is no mistake')
  return problems.map(one =>
    `${one}${one.hint === undefined ? '' : ` (${one.hint})`}`.replace(/^x\.test\.yaml:/, '')
  )
}

function good(rest: string) {
  const { test, problems } = read(rest)
  if (test === null) throw new Error(problems.join('\n'))
  return test
}

t.test('a principal is what the tenancy tables make of it', async t => {
  const { fixtures } = good('tests: [{ who: ada, may: read, what: { memo: { level: 1 } } }]')
  const [ada, gus, cas, solo] = fixtures.principals
  t.match(ada?.attributes, {
    tenant_type: 'client',
    tenant_status: 'active',
    tenant_role: 'owner',
    roles: ['auditor', 'editor', 'platform_admin'],
    is_platform_admin: true
  })
  t.match(gus?.attributes, {
    id: '00000000-0000-0000-0001-00000000000b',
    tenant_type: 'solution',
    roles: [],
    is_platform_admin: false
  })
  t.equal(cas?.attributes, null, 'a tenant that is not active has no members')
  t.not(solo?.attributes?.['tenant_id'], ada?.attributes?.['tenant_id'], 'a tenant of its own')
})

t.test('names stand for ids, and related rows are joined as the database joins them', async t => {
  const { cases, fixtures } = good(`defaults: { note: { title: x } }
rows:
  folder: { inbox: { tenant_id: acme }, other: { tenant_id: globex } }
  note:
    filed: { tenant_id: globex, folder: inbox, tags: [ada, null], shares: [{ user_id: gus, level: read }] }
    loose: { tenant_id: globex }
tests:
  - { who: ada, may: read, what: [filed, loose] }
  - { who: gus, may: update, what: filed, changes: { folder_id: 7, tenant_id: acme } }
  - { who: gus, may: update, what: { note: { tenant_id: globex, title: y, folder: { tenant_id: acme } } } }
`)
  const [filed, loose, moved, own] = cases.map(one => requestOf(one, fixtures))
  const ada = fixtures.principals[0]?.id
  const inbox = Number(fixtures.rows.find(({ name }) => name === 'inbox')?.id)
  t.match(filed?.resource.properties, {
    folder_id: inbox,
    tags: [ada, null],
    folder: [{ id: inbox, tenant_id: fixtures.tenants[0]?.id }],
    shares: [{ note_id: filed?.resource.id, level: 'read', user_id: fixtures.principals[1]?.id }]
  })
  t.match(loose?.resource.properties, { folder_id: null, folder: [], shares: [], tags: null })
  t.strictSame(moved?.action.properties, {
    changes: { folder_id: 7, tenant_id: fixtures.tenants[0]?.id, folder: [] }
  })
  t.match(
    own?.resource.properties,
    { folder: [{ tenant_id: fixtures.tenants[0]?.id }] },
    'a row that stands in a row'
  )
  const { folder_id: key, folder } = own?.resource.properties ?? {}
  t.match(folder, [{ id: key }])
})

t.test(
  'what no rule reads need not be stated, and types without a table bring their related rows',
  async t => {
    const { cases, fixtures } =
      good(`rows: { memo: { m: { level: 9, marks: [{ by: ada }, { by: gus }] }, n: { level: 9 } } }
tests: [{ who: ada, may: read, what: m }, { who: ada, may_not: read, what: n }]
`)
    const [m, n] = cases.map(one => requestOf(one, fixtures).resource)
    t.match(m, { id: 'm', properties: { marks: [{ by: fixtures.principals[0]?.id, memo_id: 'm' }, {}] } })
    t.strictSame(n?.properties?.['marks'], [])
  }
)

t.test('a table asks about every row of a type', async t => {
  const { cases } = good(`rows: { memo: { a: { level: 1 }, b: { level: 2 }, c: { level: 9 } } }
tests: [{ title: memos, may: read, of: memo, table: { ada: [a, b], gus: all, cas: none } }]
`)
  t.strictSame(
    cases.map(({ title, expected }) => `${title} ${expected}`),
    ['a', 'b', 'c']
      .flatMap((row, i) => [`ada may ${i < 2 ? '' : 'not '}read ${row} ${i < 2}`])
      .concat(
        ['a', 'b', 'c'].map(row => `gus may read ${row} true`),
        ['a', 'b', 'c'].map(row => `cas may not read ${row} false`)
      )
  )
  t.match(cases[0], { about: 'memos', span: { line: 9, column: 55 } }, 'at the row of the table')
})

t.test('mistakes have their place, and a suggestion', async t => {
  const rows = 'rows: { memo: { m: { level: 1 } }, note: { n: { tenant_id: acme } } }\n'
  const cases: readonly (readonly [string, ...string[]])[] = [
    [
      'tests: [{ who: ado, may: read, what: m }]\n',
      '9:16 TWR_TEST_NAME there is no principal `ado` (did you mean `ada`?)'
    ],
    [
      'tests: [{ who: acme, may: read, what: m }]\n',
      '9:16 TWR_TEST_NAME there is no principal `acme` (`acme` is a tenant, a principal is needed here)'
    ],
    [
      'tests: [{ who: ada, may: reed, what: m }]\n',
      '9:26 TWR_TEST_NAME unknown action `reed` (did you mean `read`?)'
    ],
    [
      'tests: [{ who: ada, may: read, what: mm }]\n',
      '9:38 TWR_TEST_NAME there is no row `mm` (did you mean `m`?)'
    ],
    [
      'tests: [{ who: ada, may: read }]\n',
      '9:9 TWR_TEST_SHAPE `what` is missing (a test says who may, or may_not, do what; or it has a table)'
    ],
    [
      'tests: [{ who: ada, what: m }]\n',
      '9:9 TWR_TEST_SHAPE `may` or `may_not` is missing (they name the actions)'
    ],
    [
      'tests: [{ who: ada, may_not: read, what: m, by: low }]\n',
      '9:49 TWR_TEST_SHAPE `by` goes with `may` alone (it names the rule that allows)'
    ],
    [
      'tests: [{ who: ada, may: read, what: m, because: no_rule }]\n',
      '9:50 TWR_TEST_SHAPE `because` goes with `may_not` alone (it names the reason of a deny)'
    ],
    [
      'tests: [{ who: ada, may: update, what: n, changes: { titel: x } }]\n',
      '9:61 TWR_TEST_NAME note has no column `titel` (did you mean `title`?)'
    ],
    [
      'tests: [{ may: read, of: memo, who: ada, table: { ada: [n] } }]\n',
      '9:37 TWR_TEST_SHAPE `who` does not go with a table (a table needs may and of)',
      '9:57 TWR_TEST_NAME `n` is a note (name rows of the type of the table)'
    ],
    [
      'tests: [{ may: read, of: memoo, table: { ada: all } }]\n',
      '9:26 TWR_TEST_NAME the policy has no resource type `memoo` (did you mean `memo`?)'
    ],
    [
      'tests: [{ who: ada, may: fly, wat: m }]\n',
      '9:31 TWR_POLICY_SCHEMA unknown key `wat` (did you mean `what`?)'
    ],
    [
      'tests: [{ who: { tenant: acm }, may: read, what: m }]\n',
      '9:26 TWR_TEST_NAME there is no tenant `acm` (did you mean `acme`?)'
    ],
    [
      'tests: [{ who: { rol: x }, may: read, what: m }]\n',
      '9:18 TWR_POLICY_SCHEMA unknown key `rol` (did you mean `role`?)'
    ],
    [
      'tests: [{ who: ada, may: read, what: { memo: { level: 1 }, note: {} } }]\n',
      '9:38 TWR_TEST_SHAPE a row of its own has one key, its type'
    ]
  ]
  for (const [tests, ...expected] of cases) t.strictSame(mistakes(rows + tests), expected, tests)
})

t.test('values must be of their type, and rows complete', async t => {
  const ask = 'tests: [{ who: ada, may: read, what: m }]\n'
  const of = (rows: string) => mistakes(`${rows}\n${ask}`)
  t.strictSame(of('rows: { memo: { m: {} } }'), [
    '8:20 TWR_TEST_VALUE `level` is missing, and rules read it (state it, or give it to all rows of the type under `defaults`)'
  ])
  t.match(of('rows: { memo: { m: { level: high } } }')[0], /^8:29 TWR_TEST_VALUE expected int, got a string/)
  t.strictSame(of('rows: { memo: { m: { level: 1 } }, note: { n: { tenant_id: acmee } } }'), [
    '8:60 TWR_TEST_NAME `acmee` is neither a uuid nor a name of this file (did you mean `acme`?)'
  ])
  t.match(
    of('rows: { memo: { m: { level: 1, leve: 2 } } }')[0],
    /no column or relation `leve` \(did you mean `level`\?\)/
  )
  t.match(
    of('rows: { memo: { m: { level: 1 }, acme: { level: 1 } } }')[0],
    /^8:34 TWR_TEST_NAME `acme` is declared twice/
  )
  const twice =
    'rows: { memo: { m: { level: 1 } }, folder: { a: { id: 7, tenant_id: acme }, b: { id: 7, tenant_id: acme } } }'
  t.match(of(twice), [/`a` has the same id \(leave the id out/])
  const named = 'rows: { memo: { m: { level: 1 } }, note: { n: { tenant_id: acme, shares: [gus] } } }'
  t.match(of(named), [
    /a row of `shares` is not named here \(write its columns here: level, note_id, user_id\)/
  ])
  t.match(of('defaults: { meno: {} }\nrows: { memo: { m: { level: 1 } } }'), [/no resource type `meno`/])
})

t.test('what no database can hold is refused', async t => {
  const id = '00000000-0000-0000-0001-0000000000ff'
  const two = (a: string, b: string) =>
    mistakes(
      `tests:\n  - { who: ${a}, may: read, what: { memo: { level: 1 } } }\n  - { who: ${b}, may: read, what: { memo: { level: 1 } } }\n`
    )
  t.match(two(`{ id: ${id}, tenant: acme }`, `{ id: ${id}, tenant: globex, global_roles: [x] }`), [
    /the same user with other global_roles/
  ])
  t.match(two(`{ id: ${id}, tenant: acme }`, `{ id: ${id}, tenant: acme }`), [
    /the same user in the same tenant/
  ])
  t.match(two(`{ tenant: { id: ${id} } }`, `{ tenant: { id: ${id}, type: solution } }`), [
    /a tenant with the same id is another/
  ])
})

t.test('the shipped schema is the one that is checked', async t => {
  const shipped = readFileSync('schema/policy-test.schema.json', 'utf8')
  t.equal(shipped, `${JSON.stringify(TEST_SCHEMA, null, 2)}\n`, 'rewrite it with `npm run schema`')
})

t.test('the loader of policies leaves test files alone', async t => {
  const dir = t.testdir({ 'policy.yaml': POLICY, 'policy.test.yaml': 'not: [a, policy', 'b.test.yml': '{' })
  t.equal((await loadFolder(dir)).problems.length, 0)
})
