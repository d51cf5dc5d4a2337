import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { prove } from '../../src/prove/prove.js'
import { tableSql } from '../../src/prove/resource.js'
import { policyText } from '../agreement/arbitraries.js'
import { bundleOf, EVERY_ATOM } from './policies.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const POLICIES = Number(process.env['TWINRULE_POLICIES'] ?? 300)

t.test('the policies of the repository are proved', async t => {
  const { bundle } = await loadFolder(join(import.meta.dirname, '..', '..', 'policies'))
  if (bundle === null) throw new Error('the policies do not load')
  const report = await prove(bundle)
  t.equal(report.verdict, 'proved')
  t.equal(report.revision, bundle.revision)
  t.ok(report.resources.every(({ models, gates }) => models > 1_000 && gates.length === 5))
})

t.test('a policy with every kind of condition is proved', async t => {
  t.match(await prove(bundleOf(EVERY_ATOM)), { verdict: 'proved' })
})

t.test('random policies are proved, or are said to be too large', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const verdicts = new Map<string, number>()
  let tried = 0
  for (let n = 0; tried < POLICIES; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    if (bundle === null) continue
    const { resources } = await prove(bundle, { maxModels: 5_000 })
    const proof = resources.find(({ resource }) => resource === 'thing')
    const verdict = proof?.verdict ?? ''
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    if (verdict !== 'not proved: related rows') tried++
    if (verdict === 'refuted' || verdict === 'not proved: unreadable SQL') {
      throw new Error(`seed ${SEED + n}: ${verdict}\n${text}\n${JSON.stringify(proof, null, 1)}`)
    }
  }
  t.comment(JSON.stringify(Object.fromEntries(verdicts)))
  t.ok((verdicts.get('proved') ?? 0) > POLICIES / 5, 'a good part of them is small enough')
})

const NOTES = `version: 1
principal: { id: uuid, tenant_id: uuid, is_admin: { type: bool, role: authz_admin } }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid, title: text!, at: timestamptz }
    rules:
      mine: { allow: [read, update], when: resource.tenant_id == principal.tenant_id }
      soon: { allow: [create], when: resource.at > now }
`

t.test('a lock that is wrong is refuted by the smallest case, ready to be pasted', async t => {
  const bundle = bundleOf(NOTES)
  const sql = (text: string) => text.replace(/"tenant_id" = [^\n]+/g, '"tenant_id" IS NOT NULL')
  const report = await prove(bundle, { emitted: { sql: (...of) => sql(tableSql(...of)) } })
  t.equal(report.verdict, 'refuted')
  const read = report.resources[0]?.gates.find(({ gate }) => gate === 'read')
  t.match(read, {
    verdict: 'refuted',
    counterexample: {
      principal: { id: /^0/, tenant_id: null, is_admin: null },
      row: { id: /^0/, tenant_id: /^0/, title: 'text 65535', at: null },
      now: /Z$/,
      says: { reference: false, CASL: false, compiled: false, 'SQL twinrule_app': true }
    }
  })
})

t.test('an UPDATE policy without WITH CHECK is refuted by a row that is given away', async t => {
  const bundle = bundleOf(
    `${NOTES}      kept: { allow: [update], when: resource.title == "a", check: 'false' }\n`
  )
  const drop = (text: string) =>
    text.replace(/(FOR UPDATE[\s\S]*?)\n {2}WITH CHECK \([\s\S]*?\n {2}\);/g, '$1;')
  const report = await prove(bundle, { emitted: { sql: (...of) => drop(tableSql(...of)) } })
  t.equal(report.verdict, 'refuted')
  t.match(report.resources[0]?.findings, [/has no WITH CHECK/])
})

t.test('too many cases are counted, not tried, and never called proved', async t => {
  const many = Array.from({ length: 30 }, (_, i) => `"t${i}" in resource.tags`).join(' || ')
  const tagged = NOTES.replace('title: text!', 'tags: set<text>')
  const bundle = bundleOf(tagged.replace('when: resource.at > now', `when: '${many}'`))
  const start = performance.now()
  const { verdict, resources } = await prove(bundle)
  t.equal(verdict, 'not proved: too large')
  t.match(
    resources[0]?.gates.map(gate => gate.verdict),
    ['proved', 'not proved: too large', 'proved', 'proved', 'proved']
  )
  t.ok((resources[0]?.gates[1]?.models ?? 0) > 2 ** 30)
  t.ok(performance.now() - start < 2_000)
})

t.test('a resource without a table has two app sides and no SQL', async t => {
  const report = await prove(bundleOf(NOTES.replace('    table: notes\n', '')))
  t.match(report, { verdict: 'proved', resources: [{ table: null, findings: [] }] })
})

t.test('SQL outside of the grammar is not read, so nothing is proved', async t => {
  const bundle = bundleOf(NOTES)
  const strange: readonly (readonly [string, RegExp])[] = [
    ['"tenant_id" = (SELECT tenant_id FROM tenants)', /fromClause/],
    ['"tenant_id" = (SELECT twinrule.other())', /the function twinrule\.other/],
    ['"tenant_id" = (SELECT get_current_tenant_id())', /the function get_current_tenant_id/],
    ['lower("title") = \'a\'', /FuncCall with args/],
    ['"title" LIKE \'a%\'', /LIKE|operator/],
    ['"title" < \'a\'', /< on text/],
    ['"tenant_id" IS NOT DISTINCT FROM NULL', /AEXPR_NOT_DISTINCT|operator/],
    ['("tenant_id" IS NOT NULL) IS TRUE', /BooleanTest/],
    ['"title"::uuid = "tenant_id"', /cast/],
    ['"title" = NULL', /isnull/],
    ['"other" IS NULL', /the column other/],
    ['notes."title" IS NULL', /the column notes/],
    ['COALESCE("at" > now(), false)', /CoalesceExpr/],
    ['"at" > statement_timestamp()', /the function statement_timestamp/],
    ['CASE WHEN true THEN true END', /CaseExpr/],
    ['"title" OPERATOR(public.=) \'a\'', /operator with a schema/]
  ]
  for (const [condition, why] of strange) {
    const sql = tableSql(bundle.resources[0] as never, bundle).replace(
      /"tenant_id" = [^\n]+/,
      () => condition
    )
    const report = await prove(bundle, { emitted: { sql: () => sql } })
    t.equal(report.verdict, 'not proved: unreadable SQL', condition)
    t.match(report.resources[0]?.findings[0], why)
  }
  for (const statement of [
    'DROP TABLE notes',
    'ALTER TABLE public.notes OWNER TO x',
    'SELECT 1',
    'GRANT ALL ON public.others TO x',
    'x'
  ]) {
    const report = await prove(bundle, { emitted: { sql: () => statement } })
    t.equal(report.verdict, 'not proved: unreadable SQL', statement)
    t.match(report.resources[0]?.findings[0], /^TWR_PROOF_SQL /)
  }
})
