import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { PRESET_NAMES } from '../../src/policy/presets.js'

t.test('one line brings a trait with its rules, and a table takes less than 15 lines', async t => {
  const text = `version: 1
include: [sharing]
resources:
  agent:
    table: agents
    use: [sharable]
    columns: { name: text! }
`
  const { bundle, problems } = loadTexts({ 'p.yaml': text })
  t.same(problems, [])
  t.same(
    bundle?.resources[0]?.rules.map(({ id }) => id),
    ['global', 'owner', 'platform-admin', 'selective']
  )
  t.ok(text.split('\n').length < 15)
})

t.test('every preset loads by itself', async t => {
  for (const name of PRESET_NAMES) {
    t.same(loadTexts({ 'p.yaml': `version: 1\ninclude: [${name}]\n` }).problems, [], name)
  }
})

t.test('an unknown preset and a clash with one are told', async t => {
  const codes = (text: string) =>
    loadTexts({ 'p.yaml': text }).problems.map(({ span, code, hint }) => [span.line, span.column, code, hint])
  t.same(codes('version: 1\ninclude: [sharring]\nprincipal: { id: uuid }\n'), [
    [2, 11, 'TWR_POLICY_INCLUDE', 'did you mean `sharing`?']
  ])
  const [clash] = codes('version: 1\ninclude: [tenancy]\nmacros: { mine: "true" }\n')
  t.equal(clash?.[2], 'TWR_POLICY_DUPLICATE')
  t.match(String(clash?.[3]), /twinrule:tenancy|p\.yaml/)
})
