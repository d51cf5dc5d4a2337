import t from 'tap'
import { conditionMutants } from '../../src/analysis/condition-mutants.js'
import { policyMutants } from '../../src/analysis/mutants.js'
import { createEngine } from '../../src/engine/engine.js'
import type { Bundle } from '../../src/ir/model.js'
import { printCondition } from '../../src/ir/print.js'
import { loadTexts } from '../../src/policy/load.js'

const POLICY = `version: 1
principal: { id: uuid, tenant_id: uuid }
traits:
  owned:
    columns: { id: uuid!, tenant_id: uuid! }
    immutable: [id]
    rules: { owner: { allow: [read, delete], when: resource.tenant_id == principal.tenant_id } }
resources:
  folder: { table: folders, use: [owned] }
  note:
    table: notes
    use: [owned]
    columns: { folder_id: uuid, level: int, kind: text }
    relations: { folder: { one: folder }, marks: { many: marks, columns: { by: uuid } } }
    column_rules: [{ columns: [kind, level], when: 'resource.level < 5' }]
    rules:
      foldered: { allow: [read], when: 'resource.folder.can("read")' }
      edit:
        allow: [update]
        when: resource.level > 3 && (resource.kind in ["a", "b"] || !(resource.kind == null))
        check: 'resource.marks.exists(m, m.by == principal.id)'
      none: { forbid: [delete], when: "true" }
`

function bundleOf(): Bundle {
  const { bundle, problems } = loadTexts({ 'policy.yaml': POLICY })
  if (bundle === null) throw new Error(problems.join('\n'))
  return bundle
}

const all = policyMutants(bundleOf())
const named = (name: string) => all.filter(mutant => mutant.name === name)
const rule = (bundle: Bundle | undefined, type: string, id: string) =>
  bundle?.resources.find(({ name }) => name === type)?.rules.find(one => one.id === id)

t.test('every rule is changed in every way, a rule of a trait in all resources at once', async t => {
  t.match(named('owner is gone'), [{ resources: ['folder', 'note'], span: { file: 'policy.yaml' } }])
  t.equal(named('owner is gone').length, 1)
  for (const name of [
    'owner without delete',
    'owner with `resource.tenant_id == principal.tenant_id` taken for true',
    'edit with >= for > in `resource.level > 3`',
    'edit with no "a" in `resource.kind in ["a", "b"]`',
    'edit with no ! before `resource.kind == null`',
    'edit with `related.by == principal.id` taken for false in its check',
    'edit with `resource.marks.exists(related, related.by == principal.id)` taken for true in its check',
    'none with false for true',
    'the column rule of kind, level is gone',
    'the column rule of kind, level without kind',
    'the column rule of kind, level with <= for < in `resource.level < 5`',
    'id is not immutable'
  ]) {
    t.equal(named(name).length, 1, name)
  }
  t.equal(new Set(all.map(({ name }) => name)).size, all.length, 'each has a name of its own')
})

t.test('a mutant differs from the policy in one place, and the policy stays as it was', async t => {
  const before = JSON.stringify(bundleOf())
  const bundle = bundleOf()
  const [gone] = policyMutants(bundle).filter(({ name }) => name === 'edit without its check')
  t.equal(gone, undefined)
  t.equal(JSON.stringify(bundle), before)
  const [flipped] = named(
    'edit with || for && in `(resource.level > 3 && (resource.kind in ["a", "b"] || !(resource.kind == null)))`'
  )
  t.equal(rule(flipped?.bundle, 'note', 'edit')?.when.kind, 'or')
  t.strictSame(rule(flipped?.bundle, 'note', 'foldered'), rule(bundle, 'note', 'foldered'))
})

t.test('a rule without a check of its own keeps none, one with it is changed in one of the two', async t => {
  const [owner] = named('owner with `resource.tenant_id == principal.tenant_id` taken for true')
  const changed = rule(owner?.bundle, 'folder', 'owner')
  t.equal(changed?.when, changed?.check)
  const [edit] = named('edit with `resource.level > 3` taken for true')
  t.strictSame(rule(edit?.bundle, 'note', 'edit')?.check, rule(bundleOf(), 'note', 'edit')?.check)
})

t.test('who may read the rows of a relation changes with the rules of their resource', async t => {
  const uuid = (n: number) => `00000000-0000-0000-0000-00000000000${n}`
  const folder = { id: uuid(5), tenant_id: uuid(2) }
  const request = {
    subject: { type: 'user', id: uuid(1), properties: { tenant_id: uuid(1) } },
    action: { name: 'read' },
    resource: {
      type: 'note',
      id: uuid(3),
      properties: { tenant_id: uuid(2), folder_id: uuid(5), folder: [folder], marks: [] }
    }
  }
  const decide = (bundle: Bundle | undefined) => createEngine(bundle as Bundle).decide(request).context.rule
  t.equal(decide(bundleOf()), null)
  const [open] = named('owner with `resource.tenant_id == principal.tenant_id` taken for true')
  t.equal(decide(open?.bundle), 'foldered', 'asked of the folder')
})

t.test('a change of a condition is applied to any condition of the same shape', async t => {
  const [first, second] = ['edit', 'edit'].map(id => rule(bundleOf(), 'note', id)?.when)
  if (first === undefined || second === undefined) throw new Error('there is such a rule')
  for (const { apply } of conditionMutants(first)) {
    const changed = printCondition(apply(second))
    t.not(changed, printCondition(second))
    t.equal(changed, printCondition(apply(first)))
  }
})
