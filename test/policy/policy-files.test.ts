import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { COLUMNS, first, HEAD, problemsOf, withCondition } from './cases.js'

t.test('the example compiles', async t => {
  const { bundle, problems } = await loadFolder('policies')
  t.same(problems, [])
  t.same(
    bundle?.resources.map(({ name, table }) => [name, table]),
    [
      ['agent', 'agents'],
      ['prompt', 'prompts'],
      ['rag_knowledge_source', 'rag_knowledge_sources'],
      ['tool', 'tools'],
      ['workflow', 'workflows']
    ]
  )
  t.ok(Object.isFrozen(bundle?.resources[0]?.rules[0]?.when), 'and is frozen to the last condition')
})

t.test('every mistake of a file is reported once, at its place', async t => {
  const problems = loadTexts({
    'p.yaml': `version: 1
enums: { mode: [private, global] }
principal: { id: uuid, tenant_id: uuidd }
macros:
  mine: resource.tenant_id == principal.tenant_id
traits:
  sharable:
    columns: { id: uuid!, tenant_id: uuid!, mode: mode! }
    rules:
      a: { allow: [read, wirte], when: mine }
      b: { allow: [read], when: 'resource.mode == "globl"' }
      c: { allow: [read], wen: mine }
      d:
        allow: [read]
        when: >-
          resource.mode == "global"
          && resource.tenantid == principal.id
resources:
  agent: { table: agents, use: [sharable] }
  tool: { table: tools, use: [sharable] }
`
  }).problems
  t.same(problems.map(String), [
    'p.yaml:3:35 TWR_POLICY_UNKNOWN_TYPE unknown type `uuidd`',
    'p.yaml:10:26 TWR_POLICY_ACTION unknown action `wirte`',
    'p.yaml:11:51 TWR_POLICY_UNKNOWN_LABEL "globl" is no label of mode',
    'p.yaml:12:27 TWR_POLICY_SCHEMA unknown key `wen`',
    'p.yaml:17:23 TWR_POLICY_UNKNOWN_COLUMN agent has no column `tenantid`'
  ])
  t.same(
    problems.map(({ hint }) => hint),
    [
      'did you mean `uuid`?',
      'actions: read, create, update, delete',
      'did you mean `global`?',
      'did you mean `when`?',
      'did you mean `tenant_id`?'
    ]
  )
})

t.test('a role flag has a PostgreSQL role of its own, and not one of ours', async t => {
  const flags = (...roles: readonly string[]) =>
    problemsOf(
      `version: 1\nprincipal: { id: uuid, ${roles.map((role, i) => `is_r${i}: { type: bool, role: ${role} }`).join(', ')} }\n`
    )
  t.same(flags('authz_a', 'authz_b'), [])
  t.same(flags('twinrule_app'), ['2:24 TWR_POLICY_RESERVED'])
  t.same(flags('pg_monitor'), ['2:24 TWR_POLICY_RESERVED'])
  t.same(flags('public'), ['2:24 TWR_POLICY_RESERVED'])
  t.same(flags('authz_a', 'authz_a'), ['2:62 TWR_POLICY_DUPLICATE'])
})

t.test('a condition that has no one meaning is refused', async t => {
  const cases: readonly (readonly [string, string])[] = [
    ['resource.owner == resource.tenant_id', '15:33 TWR_POLICY_TWO_COLUMNS'],
    ['resource.n == "x"', '15:33 TWR_POLICY_TYPE'],
    ['resource.mode == principal.tenant_id', '15:33 TWR_POLICY_TYPE'],
    ["'resource.tags == null'", '15:34 TWR_POLICY_NULL'],
    ["'resource.owner in [null]'", '15:53 TWR_POLICY_NULL'],
    ['\'"a" == "b"\'', '15:34 TWR_POLICY_CONSTANT'],
    ['resource.n', '15:33 TWR_POLICY_NOT_BOOLEAN'],
    ['\'"text"\'', '15:34 TWR_POLICY_NOT_BOOLEAN'],
    ['resource.owner == "acme"', '15:51 TWR_POLICY_LITERAL'],
    ['resource.mode < "private"', '15:33 TWR_POLICY_ORDER'],
    ['principal.tenant_id >= resource.owner', '15:33 TWR_POLICY_ORDER'],
    ['resource.n < 9007199254740993', '15:33 TWR_POLICY_LITERAL'],
    ['resource.n < "5"', '15:33 TWR_POLICY_TYPE'],
    ['now < 5', '15:33 TWR_POLICY_TYPE'],
    ['resource.n < null', '15:46 TWR_POLICY_NULL'],
    ['resource.n == 9223372036854775808', '15:47 TWR_POLICY_LITERAL'],
    ['resource.n == 1.5', '15:47 TWR_POLICY_SYNTAX'],
    ['\'resource.mode in ["private", "globl"]\'', '15:63 TWR_POLICY_UNKNOWN_LABEL'],
    ['resource.mode in ["private", "globl"]', '15:50 TWR_POLICY_YAML'],
    ['resource.n in principal.tenant_id', '15:47 TWR_POLICY_TYPE'],
    ['minee', '15:33 TWR_POLICY_UNKNOWN_MACRO'],
    ['principal.tenant == resource.owner', '15:43 TWR_POLICY_UNKNOWN_PRINCIPAL'],
    ['resorce.n == 1', '15:33 TWR_POLICY_SYNTAX'],
    ['resource.open = true', '15:47 TWR_POLICY_SYNTAX'],
    ['resource.open and mine', '15:47 TWR_POLICY_SYNTAX'],
    ['resource.n + 1 == 2', '15:44 TWR_POLICY_SYNTAX'],
    ['(resource.open', '15:47 TWR_POLICY_SYNTAX'],
    ['resource.open == true == true', '15:55 TWR_POLICY_SYNTAX'],
    ["'resource.tags.size() == 1'", '15:48 TWR_POLICY_SYNTAX'],
    ['"\\"open"', '15:34 TWR_POLICY_SYNTAX'],
    [`'${'('.repeat(70)}true${')'.repeat(70)}'`, '15:98 TWR_POLICY_CONDITION_SIZE'],
    [`'${'!'.repeat(70)}resource.open'`, '15:98 TWR_POLICY_CONDITION_SIZE'],
    [`'${'resource.open || '.repeat(6000)}true'`, '15:33 TWR_POLICY_CONDITION_SIZE']
  ]
  for (const [condition, expected] of cases) {
    t.same(problemsOf(withCondition(condition)), [expected], condition.slice(0, 60))
  }
})

t.test('a literal takes its type from the other side, and both orders mean the same', async t => {
  const revision = (condition: string) => loadTexts({ 'p.yaml': withCondition(condition) }).bundle?.revision
  const same: readonly (readonly [string, string])[] = [
    ['resource.mode == "global"', '\'"global" == resource.mode\''],
    ['resource.mode != "global"', '\'!(resource.mode == "global")\''],
    ['\'resource.mode in ["global"]\'', 'resource.mode == "global"'],
    ['\'resource.mode in ["private", "global"]\'', '\'resource.mode in ["global", "private", "global"]\''],
    ['resource.n == 007', 'resource.n == 7'],
    ['resource.open', 'resource.open == true'],
    ["'!resource.open'", 'resource.open == false'],
    ["'!(resource.n < 5)'", 'resource.n >= 5'],
    ['5 > resource.n', 'resource.n < 5'],
    ['\'!("a" in resource.tags)\'', '\'"a" not in resource.tags\''],
    ['mine && resource.open', 'resource.open && resource.tenant_id == principal.tenant_id'],
    ['mine || mine && resource.open', 'mine'],
    [
      'resource.owner == "AAAAAAAA-0000-0000-0000-00000000000A"',
      'resource.owner == "aaaaaaaa-0000-0000-0000-00000000000a"'
    ]
  ]
  for (const [a, b] of same) {
    t.ok(revision(a), a)
    t.equal(revision(a), revision(b), `${a} is ${b}`)
  }
  t.not(revision('mine'), revision('mine && resource.open'))
})

t.test('names are checked wherever they are declared', async t => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [`${HEAD}resources: { __proto__: {} }`, ['10:14 TWR_POLICY_RESERVED']],
    [`${HEAD}resources: { doc: { columns: { constructor: text } } }`, ['10:32 TWR_POLICY_RESERVED']],
    [`${HEAD}resources: { all: {} }`, ['10:14 TWR_POLICY_RESERVED']],
    ['version: 1\nenums: { uuid: [a] }\nprincipal: { id: uuid }\n', ['2:10 TWR_POLICY_RESERVED']],
    [
      'version: 1\nenums: { text: [a], bool: [b], int: [c], date: [d], timestamptz: [e] }\nprincipal: { id: uuid }\n',
      ['2:10', '2:21', '2:32', '2:42', '2:53'].map(place => `${place} TWR_POLICY_RESERVED`)
    ],
    [`${HEAD}resources: { Doc: {} }`, ['10:14 TWR_POLICY_SCHEMA']],
    [
      `${HEAD}resources: { doc: { table: 'docs; drop', columns: { id: uuid! } } }`,
      ['10:28 TWR_POLICY_SCHEMA']
    ],
    [`${HEAD}resources: { doc: { table: docs } }`, ['10:14 TWR_POLICY_SCHEMA']],
    [`${HEAD}resources: { doc: { use: [nope] } }`, ['10:27 TWR_POLICY_UNKNOWN_TRAIT']],
    [
      `${HEAD}resources: { a: { table: t, columns: { id: uuid! } }, b: { table: t, columns: { id: uuid! } } }`,
      ['10:67 TWR_POLICY_DUPLICATE']
    ],
    [
      `${HEAD}traits: { s: { columns: { a: int } } }\nresources: { d: { use: [s], columns: { a: int } } }`,
      ['11:40 TWR_POLICY_DUPLICATE']
    ],
    ['version: 1\nprincipal: { tenant_id: uuid }\nresources: {}\n', ['2:1 TWR_POLICY_PRINCIPAL_ID']],
    ['version: 1\nprincipal: { id: uuid, department: text }\n', ['2:24 TWR_POLICY_PRINCIPAL_SOURCE']],
    ['version: 1\nprincipal: { id: uuid, is_boss: bool }\n', ['2:24 TWR_POLICY_PRINCIPAL_SOURCE']],
    [
      'version: 1\nprincipal: { id: uuid, boss: { type: bool, role: authz_boss } }\n',
      ['2:24 TWR_POLICY_PRINCIPAL_SOURCE']
    ],
    [
      'version: 1\nenums: { k: [client] }\nprincipal: { id: uuid, tenant_type: k }\n',
      ['3:24 TWR_POLICY_PRINCIPAL_SOURCE']
    ],
    ['version: 2\nprincipal: { id: uuid }\n', ['1:10 TWR_POLICY_SCHEMA']],
    ['principal: { id: uuid }\n', ['1:1 TWR_POLICY_SCHEMA']]
  ]
  for (const [text, expected] of cases)
    t.same(problemsOf(text), expected, text.split('\n').slice(-2).join(' '))
})

t.test('where nothing is declared, the hint says so', async t => {
  const doc = (body: string) => `version: 1\nprincipal: { id: uuid }\nresources: { doc: { ${body} } }\n`
  for (const body of ['use: [shared]', 'immutable: [x]', 'rules: { r: { allow: [read], when: mine } }']) {
    t.equal(first(doc(body)).hint, 'nothing is declared', body)
  }
  t.equal(first(doc('rules: { r: { allow: [read], when: resource.open } }')).hint, 'nothing is declared')
})

t.test('macros are found in any order, and cycles are refused', async t => {
  const cycle = `version: 1
principal: { id: uuid }
macros:
  a: b || c
  b: a
  c: 'true'
resources: { doc: { rules: { r: { allow: [read], when: a } } } }
`
  t.same(problemsOf(cycle), ['4:3 TWR_POLICY_MACRO_CYCLE'])
  t.match(first(cycle).message, /a -> b -> a/)
})

t.test('places are right through quotes, escapes, folding and literal blocks', async t => {
  const place = (written: string) => {
    const problem = first(withCondition(written))
    return problem.at.replace(/ .*/, '')
  }
  t.equal(place('resource.nope == 1'), '15:42-15:46')
  t.equal(place("'resource.nope == 1'"), '15:43-15:47')
  t.equal(place('"\\"a\\" in resource.nope"'), '15:52-15:56')
  t.equal(place("'resource.mode == ''a'''"), '15:51-15:55')
  const block = (style: string) => `${HEAD}resources:
  doc:
    columns: ${COLUMNS}
    rules:
      r:
        allow: [read]
        when: ${style}
          mine

          || resource.nope == 1
`
  for (const style of ['>-', '|', '>']) t.match(first(block(style)).at, /^19:23-19:27/, style)
})

t.test('too complex a rule set is refused', async t => {
  const group = (n: number) => `(${Array.from({ length: n }, (_, i) => `resource.n == ${i}`).join(' || ')})`
  const other = (n: number) =>
    `(${Array.from({ length: n }, (_, i) => `"x${i}" in resource.tags`).join(' || ')})`
  t.same(problemsOf(withCondition(`'${group(12)} && ${other(11)}'`)), ['15:7 TWR_POLICY_TOO_COMPLEX'])
  t.same(problemsOf(withCondition(`'${group(11)} && ${other(11)}'`)), [])
})

t.test('input that was made to hurt ends with one clear error, and soon', async t => {
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    'one megabyte': [`version: 1\n# ${'x'.repeat(1024 * 1024)}`, 'TWR_POLICY_TOO_LARGE'],
    'an alias bomb': [
      `version: 1\na: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n`,
      'TWR_POLICY_YAML_ALIAS'
    ],
    'flow lists': [`version: 1\nx: ${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'TWR_POLICY_YAML_DEPTH'],
    'flow maps': [`version: 1\nx: ${'{a: '.repeat(20_000)}1${'}'.repeat(20_000)}`, 'TWR_POLICY_YAML_DEPTH'],
    'compact lists': [`version: 1\nx:\n  ${'- '.repeat(20_000)}a\n`, 'TWR_POLICY_YAML_DEPTH'],
    'complex keys': [`version: 1\n${'? '.repeat(20_000)}\n`, 'TWR_POLICY_YAML_DEPTH'],
    'a tag': ['version: 1\nx: !!js/function "x"\n', 'TWR_POLICY_YAML'],
    'no YAML': ['{{{{', 'TWR_POLICY_YAML'],
    'two documents': ['version: 1\n---\nversion: 1\n', 'TWR_POLICY_YAML'],
    nothing: ['', 'TWR_POLICY_SCHEMA'],
    'repeated keys': [`${HEAD}resources: { a: {}, a: {} }`, 'TWR_POLICY_DUPLICATE']
  }
  for (const [name, [text, code]] of Object.entries(cases)) {
    t.equal(loadTexts({ 'p.yaml': text }).problems[0]?.code, code, name)
  }
})

t.test('several files are one policy', async t => {
  const dir = t.testdir({
    'a.yaml': HEAD,
    deeper: {
      'b.yml': `version: 1\nresources: { doc: { columns: ${COLUMNS}, rules: { r: { allow: [read], when: mine } } } }\n`
    },
    'c.test.yaml': 'this: is no policy file',
    'notes.txt': 'neither is this'
  })
  const { bundle, problems } = await loadFolder(dir)
  t.same(problems, [])
  t.equal(bundle?.resources[0]?.name, 'doc')
  writeFileSync(join(dir, 'd.yaml'), 'version: 1\nresources: { doc: {} }\n')
  const again = await loadFolder(dir)
  t.match(again.problems.map(String), [/deeper\/b\.yml:2:14|d\.yaml:2:14 TWR_POLICY_DUPLICATE/])
  t.match(again.problems[0]?.hint, /the other stands in .*:2$/)
})

t.test('a folder that holds no policy says so', async t => {
  const dir = t.testdir({})
  const code = async (path: string) =>
    (await loadFolder(path)).problems.map(({ code, message }) => [code, message])
  t.same(await code(dir), [['TWR_POLICY_NO_FILES', 'the folder holds no *.yaml file']])
  t.same(await code(join(dir, 'nowhere')), [['TWR_POLICY_NO_FILES', 'there is no such folder']])
  mkdirSync(join(dir, 'x.yaml'))
  t.same(await code(dir), [['TWR_POLICY_NO_FILES', 'the file cannot be read']])
})
