import { join } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { policyTypes } from '../../src/generate/types.js'
import { loadTexts } from '../../src/policy/load.js'

const POLICY = `version: 1
enums: { mood: [open, "it's \\\\ closed"] }
actions: { publish: { command: update }, archive: {} }
principal: { id: uuid, tenant_id: uuid, roles: set<text>, is_editor: { type: bool, role: editor } }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, mood: mood!, size: int, until: timestamptz, readers: set<uuid>! }
    relations: { shares: { many: note_shares, columns: { level: text! } } }
    rules:
      owner: { allow: [read, update, publish], when: resource.tenant_id == principal.tenant_id }
  page:
    table: pages
    columns: { id: uuid! }
    rules: { none: { forbid: [publish], when: "true" } }
`

/** Lines of a program that do not compile, counted from 1. */
function wrongLines(t: Test, program: string): readonly number[] {
  const { bundle } = loadTexts({ 'p.yaml': POLICY })
  if (bundle === null) throw new Error('the policy does not compile')
  const dir = t.testdir({ 'policy.ts': policyTypes(bundle), 'use.ts': program })
  const built = ts.createProgram([join(dir, 'use.ts')], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext
  })
  const found = ts.getPreEmitDiagnostics(built).map(({ file, start = 0, messageText }) => {
    if (file?.fileName.endsWith('use.ts')) return file.getLineAndCharacterOfPosition(start).line + 1
    throw new Error(`${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
  })
  return [...new Set(found)]
}

const HEAD = `import type { Actions, Principal, Question, QuestionAbout, Resources } from './policy.js'
import type { DecisionRequest } from '${join(import.meta.dirname, '../../src/engine/request.js')}'
const subject = { type: 'user', id: 'u', properties: { tenant_id: 't', roles: ['a', null], is_editor: true } } as const
`

/** A line each: what compiles, then what does not. */
const RIGHT = [
  `export const read: Question = { subject, action: { name: 'read' }, resource: { type: 'note', id: '1' } }`,
  `export const row: Question = { subject, action: { name: 'read' }, resource: { type: 'note', id: '1', properties: { size: '9007199254740993', until: null, readers: [null], mood: "it's \\\\ closed", shares: [{ note_id: '1', level: 'a' }] } } }`,
  `export const change: QuestionAbout<'note'> = { subject, action: { name: 'update', properties: { changes: { mood: 'open' } } }, resource: { type: 'note', id: '1' } }`,
  `export const added: Actions['note'] = 'publish'`,
  `export const asked = (q: Question): DecisionRequest => q`,
  `export const principal: Principal = { tenant_id: null, roles: [], is_editor: null }`,
  `export const id = (row: Resources['page']): string => row.id`
]
const WRONG = [
  `export const w1: Question = { subject, action: { name: 'raed' }, resource: { type: 'note', id: '1' } }`,
  `export const w2: Question = { subject, action: { name: 'read' }, resource: { type: 'nota', id: '1' } }`,
  `export const w3: Question = { subject, action: { name: 'publish' }, resource: { type: 'page', id: '1' } }`,
  `export const w4: Question = { subject, action: { name: 'archive' }, resource: { type: 'note', id: '1' } }`,
  `export const w5: QuestionAbout<'note'> = { subject, action: { name: 'update', properties: { changes: { moood: 'open' } } }, resource: { type: 'note', id: '1' } }`,
  `export const w6: QuestionAbout<'note'> = { subject, action: { name: 'read' }, resource: { type: 'note', id: '1', properties: { tenant: 't' } } }`,
  `export const w7: Resources['note']['mood'] = 'opne'`,
  `export const w8: Partial<Principal> = { tenantId: 't' }`,
  `export const w9 = (row: Resources['note']): string => row.until`,
  `export const w10: Partial<Resources['note']> = { shares: [{ note_id: '1', levle: 'a' }] }`
]

t.test('what is right compiles, and is a question that the engine takes', async t => {
  t.strictSame(wrongLines(t, `${HEAD}${RIGHT.join('\n')}\n`), [])
})

t.test('a misspelt action, type, column or label does not compile', async t => {
  const first = HEAD.split('\n').length
  const expected = WRONG.map((_, i) => first + i)
  t.strictSame(wrongLines(t, `${HEAD}${WRONG.join('\n')}\n`), expected)
})
