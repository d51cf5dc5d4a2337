import { createMongoAbility } from '@casl/ability'
import t from 'tap'
import { caslRules, caslTemplates } from '../../src/backends/casl.js'
import type { Bundle } from '../../src/ir/model.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'

const STOCK = new Set(['$in', '$nin', '$all', '$eq'])

function bundleOf(when: string): Bundle {
  const text = `version: 1
principal: { id: uuid, tenant_id: uuid, tenant_role: text, roles: set<text> }
resources:
  doc:
    columns: { t: text, u: uuid, ts: set<text>, n: int }
    rules: { r: { allow: [read], when: ${JSON.stringify(when)} } }
`
  const { bundle, problems } = loadTexts({ 'p.yaml': text })
  if (bundle === null) throw new Error(String(problems))
  return bundle
}

t.test('only stock operators come out, deeply frozen', async t => {
  const { bundle } = await loadFolder('policies')
  if (bundle === null) throw new Error('the example does not load')
  const rules = caslRules(bundle, { id: 'i', tenant_id: 'a', is_platform_admin: true })
  t.ok(rules.length > 0)
  for (const rule of rules) {
    t.ok(Object.isFrozen(rule.conditions ?? rule))
    for (const operators of Object.values(rule.conditions ?? {})) {
      t.ok(Object.isFrozen(operators))
      t.same(
        Object.keys(operators).filter(operator => !STOCK.has(operator)),
        []
      )
    }
  }
})

t.test('an alternative that cannot hold for the principal gives no rule', async t => {
  t.same(caslRules(bundleOf('resource.u == principal.tenant_id'), { id: 'i' }), [])
  t.same(caslRules(bundleOf('resource.u != principal.tenant_id'), { id: 'i' }), [])
  t.same(caslRules(bundleOf('principal.tenant_role in resource.ts'), { id: 'i' }), [])
  t.same(caslRules(bundleOf('principal.tenant_role not in resource.ts'), { id: 'i' }), [])
  t.same(caslRules(bundleOf('resource.t not in principal.roles'), { id: 'i', roles: ['a', null] }), [])
  t.same(caslRules(bundleOf('resource.t in principal.roles'), { id: 'i', roles: [] }), [])
  t.same(caslRules(bundleOf('resource.t == "a" && resource.t == "b"'), { id: 'i' }), [])
  t.same(caslRules(bundleOf('true'), {}), [], 'nobody is nobody')
})

t.test('an alternative without conditions is a rule without conditions', async t => {
  t.same(caslRules(bundleOf('principal.tenant_role == "x"'), { id: 'i', tenant_role: 'x' }), [
    { action: 'read', subject: 'doc' }
  ])
  const rules = caslRules(bundleOf('principal.tenant_role == "x"'), { id: 'i', tenant_role: 'x' })
  t.ok(createMongoAbility([...rules] as Parameters<typeof createMongoAbility>[0]).can('read', 'doc'))
})

t.test('several conditions on one column become one', async t => {
  const rules = caslRules(
    bundleOf('resource.t != "a" && resource.t not in ["b", "c"] && resource.t in ["d", "a"]'),
    { id: 'i' }
  )
  t.same(rules, [
    { action: 'read', subject: 'doc', conditions: { t: { $nin: ['a', null, 'b', 'c'], $in: ['a', 'd'] } } }
  ])
})

t.test('templates show what the principal will fill in', async t => {
  const templates = (when: string) => caslTemplates(bundleOf(when))
  t.same(templates('resource.u == principal.tenant_id && principal.tenant_role == "x"'), [
    {
      action: 'read',
      subject: 'doc',
      when: ['principal.id != null', 'principal.tenant_role == "x"'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the placeholder that templates show
      conditions: { u: { $in: ['${principal.tenant_id}'] } }
    }
  ])
  t.same(templates('resource.t in principal.roles && resource.t in ["a", "b"]')[0]?.conditions, [
    { t: { $in: ['a', 'b'] } },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the placeholder that templates show
    { t: { $in: ['...${principal.roles}'] } }
  ])
})
