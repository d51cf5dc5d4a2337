import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { guardFunctions, guardObjects } from '../../src/backends/sql/column-guards.js'
import { functionObject } from '../../src/backends/sql/function.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { relatedObjects } from '../../src/backends/sql/related.js'
import { createEngine } from '../../src/engine/engine.js'
import type { JsonValue } from '../../src/ir/json.js'
import { type Bundle, resourceOf } from '../../src/ir/model.js'
import type { Type } from '../../src/ir/types.js'
import { prove } from '../../src/prove/prove.js'
import { invariantName } from '../../src/prove/report.js'
import { sqlName } from '../../src/prove/sql-types.js'
import { connections } from '../agreement/locks.js'
import { createDatabase } from '../support/cluster.js'
import { bundleOf } from './policies.js'
import { requestOf } from './replay.js'

const TEXT = readFileSync(join(import.meta.dirname, 'whole-example.yaml'), 'utf8')
const bundle = bundleOf(TEXT)
const report = await prove(bundle)

t.test('the locks of the whole example decide alike', t => {
  for (const { resource, verdict, gates } of report.resources) {
    t.equal(verdict, 'proved', resource)
    // what a document's columns are is nobody's to guard
    t.equal(gates.length, resource === 'document' ? 5 : 6)
  }
  t.end()
})

t.test('every invariant of it is decided: all hold but one', t => {
  const verdicts = report.invariants.map(one => [invariantName(one), one.verdict] as const)
  t.equal(verdicts.length, 22)
  t.strictSame(
    verdicts.filter(([, verdict]) => verdict !== 'proved'),
    [['never read (tool)', 'refuted']]
  )
  const proof = report.invariants.find(({ verdict }) => verdict === 'refuted')
  // a workflow that everyone may read hands a private tool to everyone
  t.match(proof?.counterexample, {
    row: { sharing_mode: 'private', workflow: [{ is_shared: true, sharing_mode: 'global' }] }
  })
  t.end()
})

t.test('it holds when a tool of others is not read through its workflow', async t => {
  const narrow = TEXT.replace(
    'when: resource.workflow.can("read")',
    `when: 'mine && resource.workflow.can("read")'`
  )
  t.not(narrow, TEXT)
  t.equal((await prove(bundleOf(narrow))).verdict, 'proved')
})

const columnType = (type: Type) => (type.kind === 'set' ? `${sqlName(type.of)}[]` : sqlName(type))

/** Every table of a policy, without its constraints. */
function tablesOf({ resources }: Bundle): string {
  const tables = new Map<string, string>()
  for (const { table, columns, relations } of resources) {
    for (const one of [{ table, columns }, ...relations]) {
      const parts = one.columns.map(({ name, type }) => `${name} ${columnType(type)}`)
      if (!tables.has(one.table ?? '')) tables.set(one.table ?? '', parts.join(', '))
    }
  }
  return [...tables].map(([name, columns]) => `CREATE TABLE public.${name} (${columns});`).join('\n')
}

t.test('the case that breaks it is allowed by the engine and by PostgreSQL', async t => {
  const proof = report.invariants.find(({ verdict }) => verdict === 'refuted')
  const tool = resourceOf(bundle, 'tool')
  if (proof?.counterexample == null || tool === undefined) throw new Error('no counterexample')
  const { row, principal } = proof.counterexample
  t.ok(createEngine(bundle).decide(requestOf(bundle, proof)).decision)
  const { admin, app } = await connections(await createDatabase(t))
  t.teardown(() => Promise.all([app.end(), admin.end()]))
  await admin.query(
    `${tablesOf(bundle)} CREATE FUNCTION twinrule.context_tenant_status() RETURNS text STABLE LANGUAGE sql
     AS $$ SELECT current_setting('test.principal')::jsonb ->> 'tenant_status' $$`
  )
  const objects = bundle.resources.flatMap(resource => [
    ...guardFunctions(resource, bundle).map(functionObject),
    ...tableObjects(resource, bundle),
    ...guardObjects(resource)
  ])
  const grants = relatedObjects(bundle, ['twinrule_app', 'authz_platform_admin'])
  await admin.query([...objects, ...grants].map(({ up }) => `${up}`).join('\n'))
  const fill = (table: string, values: JsonValue | undefined) =>
    admin.query(
      `INSERT INTO public.${table} SELECT * FROM jsonb_populate_record(NULL::public.${table}, $1::jsonb)`,
      [JSON.stringify(values)]
    )
  const { workflow, ...own } = row
  await fill('tools', own)
  await fill('workflows', (workflow as readonly JsonValue[])[0])
  const visible = async () => {
    await app.query("SELECT set_config('test.principal', $1, false)", [JSON.stringify(principal)])
    return (await app.query('SELECT id FROM public.tools')).rows.map(({ id }) => id)
  }
  t.strictSame(await visible(), [row['id']])
  await admin.query('UPDATE public.workflows SET is_shared = false')
  t.strictSame(await visible(), [], 'it was the workflow')
})
