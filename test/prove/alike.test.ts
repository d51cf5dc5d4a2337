import t from 'tap'
import { caslRules } from '../../src/backends/casl.js'
import { tableSql } from '../../src/prove/emitted.js'
import { prove } from '../../src/prove/prove.js'
import type { PortableRules } from '../../src/prove/sides.js'
import { bundleOf } from './policies.js'

const bundle = bundleOf(`version: 1
principal: { id: uuid, tenant_id: uuid }
traits:
  owned:
    columns: { id: uuid!, tenant_id: uuid!, is_open: bool! }
    rules:
      owner: { allow: [read, create, update, delete], when: resource.tenant_id == principal.tenant_id }
      open: { allow: [read], when: resource.is_open }
resources:
  first: { table: firsts, use: [owned] }
  second: { table: seconds, use: [owned] }
  third: { table: thirds, use: [owned], immutable: [id] }
invariants:
  - never: { action: read, when: 'resource.tenant_id != principal.tenant_id && !resource.is_open' }
  - never: { action: read, when: 'resource.is_open' }
`)
const narrower = (text: string) => text.replace('"is_open"', 'NOT "is_open"')
const casl = caslRules as unknown as PortableRules
const verdictsOf = async (emitted: NonNullable<Parameters<typeof prove>[1]>['emitted'] = {}) =>
  (await prove(bundle, { emitted })).resources.map(({ verdict }) => verdict)

t.test('resources that differ in names alone are proved alike', async t => {
  const { resources, invariants } = await prove(bundle)
  const [first, second] = resources
  t.match(
    [first, second],
    [{ verdict: 'proved' }, { verdict: 'proved', resource: 'second', table: 'seconds' }]
  )
  t.strictSame(second?.gates, first?.gates)
  const [one, other] = invariants.slice(3)
  t.match([one, other], [{ verdict: 'refuted' }, { verdict: 'refuted', resource: 'second' }])
  t.strictSame(other?.counterexample, one?.counterexample)
})

t.test('what is wrong with one of them alone is seen', async t => {
  const sql = await verdictsOf({
    sql: (one, all) => (one.name === 'second' ? narrower(tableSql(one, all)) : tableSql(one, all))
  })
  t.strictSame(sql, ['proved', 'refuted', 'proved'])
  const wider: PortableRules = (of, principal, now) =>
    casl(of, principal, now).map(rule =>
      rule['subject'] === 'second' ? { action: rule['action'], subject: 'second' } : rule
    )
  t.strictSame(await verdictsOf({ casl: wider }), ['proved', 'refuted', 'proved'])
  const others: PortableRules = (of, principal, now) =>
    casl(of, principal, now).map(rule =>
      rule['subject'] === 'second' ? { ...rule, subject: 'first' } : rule
    )
  t.strictSame(await verdictsOf({ casl: others }), ['proved', 'refuted', 'proved'])
  const free = (text: string) => text.replace(/ALTER TABLE [^;]+ FORCE [^;]+;/, '')
  const forced = await verdictsOf({
    sql: (one, all) => (one.name === 'second' ? free(tableSql(one, all)) : tableSql(one, all))
  })
  t.strictSame(forced, ['proved', 'refuted', 'proved'])
})

t.test('what is wrong with the first of them is not taken for a proof of the second', async t => {
  const sql = await verdictsOf({
    sql: (one, all) => (one.name === 'first' ? narrower(tableSql(one, all)) : tableSql(one, all))
  })
  t.strictSame(sql, ['refuted', 'proved', 'proved'])
})
