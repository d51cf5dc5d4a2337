import { readFileSync } from 'node:fs'
import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { POLICY_SCHEMA } from '../../src/policy/schema.js'

t.test('the shipped schema is the one that the compiler checks', async t => {
  const shipped = readFileSync('schema/policy.schema.json', 'utf8')
  t.equal(shipped, `${JSON.stringify(POLICY_SCHEMA, null, 2)}\n`, 'rewrite it with `npm run schema`')
})

t.test('every key of the format is described', async t => {
  const undescribed: string[] = []
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    for (const [name, property] of Object.entries((schema as { properties?: object }).properties ?? {})) {
      if (typeof property.description !== 'string') undescribed.push(`${path}.${name}`)
    }
    for (const [key, part] of Object.entries(schema)) visit(part, `${path}.${key}`)
  }
  visit(POLICY_SCHEMA, '')
  t.same(undescribed, [])
})

t.test('what is not of the documented shape is told in words', async t => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['version: 1\nresource: {}\n', 'unknown key `resource`', 'did you mean `resources`?'],
    [
      'version: 1\nresources: { d: { rules: { r: { allow: read, when: x } } } }\n',
      'expected a list, got a string',
      undefined
    ],
    [
      'version: 1\nresources: { d: { rules: { r: { allow: [], when: "true" } } } }\n',
      'the list is empty',
      undefined
    ],
    [
      'version: 1\nresources: { d: { rules: { r: { allow: [read, read], when: "true" } } } }\n',
      'the list names something twice',
      undefined
    ],
    [
      'version: 1\nresources: { d: { rules: { r: { allow: [read] } } } }\n',
      '`when` is missing',
      'a rule for everyone says when: "true"'
    ],
    ['version: 1\nresources: { d: [] }\n', 'expected a mapping, got a list', undefined],
    ['version: 1\nresources: { d: { columns: { a: 5 } } }\n', 'expected a text, got a number', undefined],
    [
      'version: 1\nprincipal: { id: uuid, is_x: { type: bool, rol: y } }\n',
      'unknown key `rol`',
      'did you mean `role`?'
    ]
  ]
  for (const [text, message, hint] of cases) {
    const found = loadTexts({ 'p.yaml': text }).problems.find(problem => problem.code === 'TWR_POLICY_SCHEMA')
    t.equal(found?.message, message)
    t.equal(found?.hint, hint)
  }
})
