import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { POLICY_SCHEMA } from '../../src/policy/schema.js'
import { TEST_SCHEMA } from '../../src/testing/schema.js'

t.test('the shipped schema is the one that the compiler checks', async t => {
  const shipped = readFileSync('schema/policy.schema.json', 'utf8')
  t.equal(shipped, `${JSON.stringify(POLICY_SCHEMA, null, 2)}\n`, 'rewrite it with `npm run schema`')
})

t.test('every key of the formats is described, and shown by an example that is right', async t => {
  const ajv = new Ajv({ strict: false })
  for (const schema of [POLICY_SCHEMA, TEST_SCHEMA]) {
    const found: string[] = []
    const visit = (part: unknown, path: string): void => {
      if (typeof part !== 'object' || part === null) return
      const { properties = {}, examples = [] } = part as { properties?: Keys; examples?: readonly unknown[] }
      for (const [name, key] of Object.entries(properties)) {
        if (typeof key.description !== 'string') found.push(`${path}.${name} is not described`)
        // what may be one of some words is its own example
        const shown = key.examples?.length || 'enum' in key || 'const' in key
        if (!shown) found.push(`${path}.${name} has no example`)
      }
      const fits = examples.length > 0 ? ajv.compile(part) : () => true
      if (!examples.every(example => fits(example))) found.push(`${path} has a wrong example`)
      for (const [key, inner] of Object.entries(part)) if (key !== 'examples') visit(inner, `${path}.${key}`)
    }
    visit(schema, schema.title)
    t.strictSame(found, [])
  }
})

type Keys = Readonly<Record<string, { description?: unknown; examples?: readonly unknown[] }>>

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
