import t from 'tap'
import { caslTemplates } from '../../src/backends/casl.js'
import { accessMigration, accessObjects } from '../../src/backends/sql/access.js'
import { run } from '../../src/cli/run.js'
import { REASON_CODES } from '../../src/engine/request.js'
import { CODES } from '../../src/errors/codes.js'
import { PRINCIPAL_SOURCES } from '../../src/ir/principal.js'
import { loadTexts } from '../../src/policy/load.js'
import { RESERVED_NAMES } from '../../src/policy/reserved.js'
import { POLICY_SCHEMA } from '../../src/policy/schema.js'
import { ENVIRONMENT } from '../../src/server/config.js'
import { capture } from '../support/capture.js'
import { exampleBundle } from '../support/example.js'
import { brokenLinks, type Document, documents, mistakesIn, policyOf } from './documents.js'

const all = documents()
const page = (file: string) => all.find(document => document.file === file)?.text ?? ''

/** The bundles that a document can show SQL and CASL rules of: its own policies, and the example of the repository. */
async function bundlesOf({ blocks }: Document) {
  const shown = blocks.map(policyOf).filter(policy => policy !== null)
  const own = shown.flatMap(text => loadTexts({ 'policy.yaml': text }).bundle ?? [])
  return [...own, await exampleBundle()]
}

t.test('every policy in the documents compiles, or has the mistakes that stand below it', async t => {
  let count = 0
  for (const { file, blocks } of all) {
    for (const [i, block] of blocks.entries()) {
      const policy = policyOf(block)
      if (policy === null) continue
      const expected = blocks[i + 1]?.text.includes(' TWR_POLICY_') ? blocks[i + 1]?.text : ''
      t.equal(mistakesIn(policy), expected, `${file}:${block.line}`)
      count++
    }
  }
  t.ok(count >= 6, `${count} policies`)
})

t.test('generated SQL in the documents is what the policies compile to', async t => {
  let count = 0
  for (const document of all) {
    const compiled = (await bundlesOf(document)).map(accessMigration).map(String)
    for (const { language, text, line } of document.blocks) {
      if (language !== 'sql' || !text.startsWith('CREATE POLICY')) continue
      t.ok(
        compiled.some(sql => sql.includes(text.trim())),
        `${document.file}:${line}`
      )
      count++
    }
  }
  t.ok(count >= 5, `${count} policies`)
})

t.test('CASL rules in the documents are what the policies compile to', async t => {
  let count = 0
  for (const document of all) {
    const rules = (await bundlesOf(document)).flatMap(caslTemplates).map(rule => JSON.stringify(rule))
    for (const { language, text, line } of document.blocks) {
      if (language !== 'json' || !text.includes('"conditions"')) continue
      t.ok(rules.includes(JSON.stringify(JSON.parse(text))), `${document.file}:${line}`)
      count++
    }
  }
  t.ok(count >= 2, `${count} rules`)
})

t.test('other JSON in the documents is JSON, and revisions are those of the policies', async t => {
  for (const document of all) {
    const revisions = (await bundlesOf(document)).map(({ revision }) => revision)
    for (const { language, text, line } of document.blocks) {
      if (language === 'json') t.doesNotThrow(() => JSON.parse(text) as unknown, `${document.file}:${line}`)
    }
    for (const [shown, revision = ''] of document.text.matchAll(/revision"?:?"? ?"?([0-9a-f]{12,64})\b/g)) {
      t.ok(
        revisions.some(one => one.startsWith(revision)),
        `${document.file}: ${shown}`
      )
    }
  }
})

t.test('links inside of the repository lead somewhere', async t => {
  for (const document of all) t.strictSame(brokenLinks(document), [], document.file)
})

t.test('the commands and flags that the documents show exist', async t => {
  const help = async (...words: string[]) => {
    const { io, out } = capture()
    await run([...words, '--help'], io)
    return out()
  }
  const commandsIn = (text: string) =>
    [...(text.split('Commands:')[1] ?? '').matchAll(/^ {2}([\w-]+)(?: |$)/gm)].map(([, name = '']) => name)
  const helps = new Map<string, string>()
  for (const name of commandsIn(await help())) {
    const own = await help(name)
    const below = await Promise.all(commandsIn(own).map(sub => help(name, sub)))
    helps.set(name, [own, ...below].join('\n'))
  }
  for (const { file, text, blocks } of all) {
    const scripts = blocks.flatMap(block => (block.language === 'sh' ? [block.text] : [])).join('\n')
    const shown = [
      ...text.matchAll(/`(?:npx )?twinrule ([a-z]+(?:-[a-z]+)*)([^`]*)/g),
      ...scripts
        .replaceAll('\\\n', ' ')
        .matchAll(/^(?:\w+=\S+ +)*(?:npx )?twinrule ([a-z]+(?:-[a-z]+)*)([^\n#]*)/gm)
    ]
    for (const [line, name = '', rest = ''] of shown) {
      const known = helps.get(name)
      if (!t.ok(known, `${file}: ${line}`)) continue
      for (const [flag] of rest.matchAll(/--[a-z]+/g)) t.match(known, flag, `${file}: ${line}`)
    }
  }
})

t.test('every code that the documents name exists', async t => {
  const known = Object.keys(CODES)
  for (const { file, text } of all) {
    for (const [code] of text.matchAll(/\bTWR_[A-Z_]+\b(?!\*)/g)) {
      t.ok(
        known.some(one => one === code || (code.endsWith('_') && one.startsWith(code))),
        `${file}: ${code}`
      )
    }
  }
})

t.test('docs/service.md has every setting with its default, and every reason', async t => {
  const text = page('docs/service.md')
  for (const [name, setting] of Object.entries(ENVIRONMENT)) {
    const shown = setting.default === null ? 'none' : `\`${setting.default}\``
    t.ok(text.includes(`| \`${name}\` | ${shown} |`), name)
  }
  for (const code of [...REASON_CODES, 'invalid_request']) t.ok(text.includes(`| \`${code}\` | `), code)
  for (const code of Object.keys(CODES).filter(one => one.startsWith('TWR_REQUEST_'))) {
    t.ok(text.includes(`\`${code}\``), code)
  }
})

t.test('docs/database.md names every generated function', async t => {
  const functions = accessObjects(await exampleBundle()).filter(({ kind }) => kind === 'function')
  t.ok(functions.length > 20)
  for (const { name } of functions) {
    const [, bare = ''] = /"(\w+)"\(/.exec(name) ?? []
    t.ok(page('docs/database.md').includes(`${bare}(`), bare)
  }
})

t.test('docs/policy-format.md names every part of the format and every principal attribute', async t => {
  const text = page('docs/policy-format.md')
  const keys = [...Object.keys(POLICY_SCHEMA.properties), 'allow', 'when', 'check', 'table', 'use', 'columns']
  for (const name of [...keys, ...Object.keys(PRINCIPAL_SOURCES)])
    t.ok(text.includes(`| \`${name}\` | `), name)
  for (const key of RESERVED_NAMES) t.ok(text.includes(`\`${key}`), key)
})
