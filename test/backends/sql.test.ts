import { readFileSync } from 'node:fs'
import t from 'tap'
import { accessMigration, accessObjects } from '../../src/backends/sql/access.js'
import { comment, dollar, id, lit, sql } from '../../src/backends/sql/fragment.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'

async function example() {
  const { bundle } = await loadFolder('policies')
  if (bundle === null) throw new Error('the example does not load')
  return bundle
}

t.test('constants and identifiers cannot leave their quotes', async t => {
  t.equal(`${lit("x' or true --")}`, `'x'' or true --'`)
  t.equal(`${lit("\\' or true --")}`, `E'\\\\'' or true --'`)
  t.equal(`${lit(-5)}`, '-5')
  t.equal(`${lit(9223372036854775807n)}`, '9223372036854775807')
  t.equal(`${id('a"; DROP TABLE x; --')}`, '"a""; DROP TABLE x; --"')
  t.throws(() => id(''))
  t.throws(() => id('a\0b'))
  t.throws(() => id('é'.repeat(32)))
  t.equal(`${comment('one\ntwo; DROP TABLE x')}`, '-- one two; DROP TABLE x')
  const body = sql`SELECT ${lit('$twinrule$ $twinrule1$')}`
  t.match(`${dollar(body)}`, /^\$twinrule2\$\n/)
})

t.test('the committed migration is what the example compiles to', async t => {
  const committed = readFileSync('migrations/access.sql', 'utf8')
  t.equal(
    committed,
    accessMigration(await example()),
    'rewrite it with `twinrule compile policies --target sql --out migrations/access.sql`'
  )
})

t.test('the same folder gives the same bytes', async t => {
  t.equal(accessMigration(await example()), accessMigration(await example()))
})

t.test('order, comments, macros, traits and files do not change the SQL', async t => {
  const head = 'version: 1\nprincipal: { id: uuid, tenant_id: uuid }\n'
  const columns = 'columns: { id: uuid!, tenant_id: uuid, open: bool }'
  const plain = `${head}resources:
  doc:
    table: docs
    ${columns}
    rules:
      a: { allow: [read, update], when: resource.open && resource.tenant_id == principal.tenant_id }
      b: { allow: [read], when: principal.id != null && resource.open }
`
  const other = `# the same, said otherwise
${head}macros: { mine: principal.tenant_id == resource.tenant_id, here: 'resource.open == true' }
traits:
  t:
    rules:
      b: { when: here && principal.id != null, allow: [read] }
resources:
  doc:
    use: [t]
    rules:
      a: { when: '(mine) && !(!here)', allow: [update, read] }
    ${columns}
    table: docs
`
  const compiled = (text: string) => {
    const { bundle } = loadTexts({ 'p.yaml': text })
    return bundle === null ? null : accessMigration(bundle)
  }
  t.ok(compiled(plain))
  t.equal(compiled(plain), compiled(other))
})

t.test('a command that no rule allows gets neither a policy nor a grant', async t => {
  const text = `version: 1
principal: { id: uuid, is_boss: { type: bool, role: authz_boss } }
resources:
  doc:
    table: docs
    columns: { id: uuid!, open: bool }
    rules:
      a: { allow: [read], when: resource.open }
      b: { allow: [update], when: 'false' }
      c: { allow: [delete, read], when: principal.is_boss }
`
  const { bundle } = loadTexts({ 'p.yaml': text })
  const resource = bundle?.resources[0]
  if (!bundle || !resource) throw new Error('does not load')
  const objects = tableObjects(resource, bundle)
  t.same(
    objects.filter(({ kind }) => kind === 'policy').map(({ name }) => name),
    ['twinrule_docs_select', 'twinrule_docs_select_boss', 'twinrule_docs_delete_boss']
  )
  const grants = objects.filter(({ kind }) => kind === 'grant').map(({ up }) => `${up}`)
  t.match(grants[0], /GRANT SELECT ON public."docs" TO "twinrule_app"/)
  t.match(grants[1], /GRANT SELECT, DELETE ON public."docs" TO "authz_boss"/)
})

t.test('a rule that reads only a role flag stays out of the common policy', async t => {
  const bundle = await example()
  const policies = accessObjects(bundle)
    .filter(({ kind }) => kind === 'policy')
    .map(object => [object.name, `${object.up}`] as const)
  for (const [name, up] of policies.filter(([name]) =>
    /^twinrule_agents_(select|insert|update|delete)$/.test(name)
  )) {
    t.notMatch(up, /is_platform_admin/, name)
  }
  const admin = policies.find(([name]) => name === 'twinrule_agents_select_platform_admin')?.[1]
  t.match(admin, /TO "authz_platform_admin"/)
  t.match(admin, /\(SELECT twinrule.entered_platform_admin\(\)\)/, 'entering the role alone shows nothing')
  t.notMatch(admin, /"tenant_id"/)
})
