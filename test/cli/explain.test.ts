import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/cli/run.js'
import { documents } from '../structure/documents.js'
import { capture } from '../support/capture.js'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')
const GUS = { id: '00000000-0000-0000-0001-00000000000b', tenant_id: '00000000-0000-0000-0000-00000000000b' }
const AGENT = {
  id: '00000000-0000-0000-0002-000000000001',
  tenant_id: '00000000-0000-0000-0000-00000000000a',
  name: 'Acme support',
  is_shared: false,
  sharing_mode: 'private',
  shared_with: [],
  resource_type: 'custom'
}
const { id, ...properties } = AGENT
const { id: subject, ...attributes } = GUS
const REQUEST = JSON.stringify({
  subject: { type: 'user', id: subject, properties: attributes },
  action: { name: 'read' },
  resource: { type: 'agent', id, properties }
})
const FLAGS = [
  '--as',
  JSON.stringify(GUS),
  '--action',
  'read',
  '--on',
  'agent',
  '--row',
  JSON.stringify(AGENT)
]

async function explain(argv: readonly string[], input = '') {
  const { io, out, err } = capture({}, input)
  const code = await run(['explain', ...argv, '--policies', POLICIES], io)
  return { code, out: out(), err: err() }
}

t.test('a request from standard input, from a file and from flags is explained alike', async t => {
  const fromInput = await explain(['-'], REQUEST)
  t.match(fromInput, { code: 0, out: /^DENIED {2}read agent .*\n {2}no rule allows read/, err: '' })
  const file = join(t.testdir({ 'request.json': REQUEST }), 'request.json')
  t.strictSame(await explain([file]), fromInput)
  t.strictSame(await explain(FLAGS), fromInput)
})

t.test('--format json, --redact, --all and --max-steps', async t => {
  const json = JSON.parse((await explain([...FLAGS, '--format', 'json'])).out)
  t.match(json, {
    decision: false,
    redacted: false,
    row: { name: 'Acme support' },
    nearest: { outcome: 'found' }
  })
  const redacted = await explain([...FLAGS, '--redact'])
  t.notMatch(redacted.out, AGENT.tenant_id)
  t.notMatch((await explain(FLAGS)).out, /true {5}/)
  const shared = JSON.stringify({ ...AGENT, is_shared: true })
  t.match((await explain([...FLAGS, '--row', shared, '--all'])).out, /true {5}resource.is_shared/)
  const changes = ['--action', 'update', '--changes', '{"sharing_mode":"global","resource_type":"platform"}']
  t.match((await explain([...FLAGS, ...changes])).out, /instead of|leave it/)
  const other = JSON.stringify({ id: subject, tenant_id: AGENT.tenant_id })
  const few = await explain([...FLAGS, ...changes, '--as', other, '--max-steps', '1'])
  t.match(few.out, /This change would allow it:\n {2}- principal.is_platform_admin: true instead of null/)
})

t.test('docs/explain.md shows what the command prints', async t => {
  const { blocks = [] } = documents().find(({ file }) => file === 'docs/explain.md') ?? {}
  const block = (language: string) => blocks.find(one => one.language === language)?.text ?? ''
  const dir = t.testdir({ policies: { 'note.yaml': block('yaml') }, 'question.json': block('json') })
  const { io, out } = capture()
  await run(['explain', join(dir, 'question.json'), '--policies', join(dir, 'policies')], io)
  t.equal(out().replaceAll(/\(when at .*policies\//g, '(when at policies/'), block('text'))
})

t.test('what is no request is exit code 2, and says why', async t => {
  t.match(await explain([]), { code: 2, err: /nothing is asked/ })
  t.match(await explain(['-', '--action', 'read'], REQUEST), { code: 2, err: /--action and a request file/ })
  t.match(await explain(['-'], '{'), { code: 2, err: /standard input is not JSON/ })
  t.match(await explain(['-'], '{"subject":{}}'), {
    code: 2,
    err: /this is no request: action is missing|subject/
  })
  t.match(await explain(['nowhere.json']), { code: 2, err: /cannot read nowhere.json/ })
  t.match(await explain([...FLAGS, '--row', '[]']), { code: 2, err: /--row must be a JSON object/ })
})
