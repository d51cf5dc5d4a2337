import fc from 'fast-check'
import t from 'tap'
import { words } from '../../src/generate/words.js'
import { resourceOf } from '../../src/ir/model.js'
import { keyOf, normalize } from '../../src/ir/normal-form.js'
import { loadTexts } from '../../src/policy/load.js'
import { policyText } from '../agreement/arbitraries.js'

const POLICY = (when: string) => `version: 1
principal: { id: uuid, tenant_id: uuid, roles: set<text>, is_editor: { type: bool, role: editor } }
resources:
  folder: { table: folders, columns: { id: uuid! }, rules: { all: { allow: [read], when: "true" } } }
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid, owner_id: uuid, folder_id: uuid, n: int, kind: text, until: timestamptz, readers: set<uuid> }
    relations:
      folder: { one: folder }
      shares: { many: note_shares, columns: { level: text, tenant_id: uuid } }
    rules:
      rule:
        allow: [read]
        when: >-
          ${when}
`

function saidOf(when: string, negated = false): string {
  const { bundle, problems } = loadTexts({ 'p.yaml': POLICY(when) })
  if (bundle === null) throw new Error(problems.join('\n'))
  const [rule] = resourceOf(bundle, 'note')?.rules ?? []
  return rule === undefined ? '' : words(normalize(rule.when, negated))
}

t.test('conditions are said as a person says them', async t => {
  const cases = [
    ['resource.tenant_id == principal.tenant_id', 'its tenant_id is theirs'],
    ['resource.owner_id != principal.id', 'its owner_id is not their id'],
    ['principal.is_editor', 'they hold the role editor'],
    ['!principal.is_editor', 'they do not hold the role editor'],
    ['"x" in principal.roles', '"x" is among their roles'],
    ['principal.id not in resource.readers', 'their id is not among its readers'],
    ['resource.kind in ["a", "b"]', 'its kind is one of "a", "b"'],
    ['resource.kind not in ["a", "b"]', 'its kind is none of "a", "b"'],
    ['resource.until > now', 'its until is after now'],
    ['!(resource.until > now)', 'its until is not after now'],
    ['resource.n <= 3', 'its n is at most 3'],
    ['resource.until == null', 'its until is empty'],
    ['resource.until != null', 'its until is not empty'],
    [
      '(resource.n > 1 || resource.kind == "a") && principal.is_editor',
      '(its kind is "a" or its n is more than 1) and they hold the role editor'
    ],
    ['resource.shares.exists(s, s.level == "r")', 'for some row of its shares: that row\'s level is "r"'],
    ['resource.folder.can("read")', 'there is some row of its folder that they may read'],
    ['true', 'always']
  ] as const
  for (const [when, said] of cases) t.equal(saidOf(when), said, when)
  t.equal(
    saidOf('resource.shares.exists(s, s.level == "r")', true),
    'for every row of its shares: that row\'s level is not "r"'
  )
})

t.test('two conditions that differ are said differently', async t => {
  const seed = Number(process.env['TWINRULE_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`TWINRULE_SEED=${seed}`)
  const forms = new Map<string, string>()
  fc.assert(
    fc.property(policyText, text => {
      const { bundle } = loadTexts({ 'p.yaml': text })
      for (const { rules } of bundle?.resources ?? []) {
        for (const form of rules.flatMap(({ when, check }) => [normalize(when), normalize(check)])) {
          const said = words(form)
          if ((forms.get(said) ?? keyOf(form)) !== keyOf(form)) throw new Error(`${said}\n${keyOf(form)}`)
          forms.set(said, keyOf(form))
        }
      }
    }),
    { seed, numRuns: 300 }
  )
  t.ok(forms.size > 300, 'of many')
})
