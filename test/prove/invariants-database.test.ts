import t from 'tap'
import { guardFunctions, guardObjects } from '../../src/backends/sql/column-guards.js'
import { functionObject } from '../../src/backends/sql/function.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import type { Bundle } from '../../src/ir/model.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import type { InvariantProof } from '../../src/prove/report.js'
import { connections } from '../agreement/locks.js'
import { createDatabase } from '../support/cluster.js'
import { bundleOf } from './policies.js'

const policy = (parts: string, rules: string, invariants: string) => `version: 1
principal: { id: uuid, tenant_id: uuid }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, shared_with: set<uuid>, level: int }
    immutable: [id]
${parts}    rules:
      owner: { allow: [read, create, delete], when: mine }
      reader: { allow: [read], when: principal.tenant_id in resource.shared_with }
${rules}
invariants:
${invariants}
`

const GIVEN_AWAY = `      writer: { allow: [read, update], when: mine, check: resource.level == null }`
const SHARED = `      writer: { allow: [update], when: mine || principal.tenant_id in resource.shared_with }`
/** Each of these is refuted, and a column rule or nothing at all would be its repair. */
const REFUTED: readonly (readonly [string, string])[] = [
  [GIVEN_AWAY, '  - unchanged: { columns: [tenant_id] }'],
  [SHARED, '  - only_when: { changes: [shared_with], when: mine }'],
  [GIVEN_AWAY, "  - never: { action: update, when: '!mine' }"],
  [SHARED, "  - never: { action: update, when: 'resource.level > 3' }"],
  [SHARED, "  - never: { action: read, when: '!mine' }"],
  [SHARED, "  - never: { action: create, when: 'resource.level > 3' }"],
  [SHARED, "  - never: { action: delete, when: 'principal.tenant_id in resource.shared_with' }"]
]
const RULE = '    column_rules: [{ columns: [shared_with, tenant_id], when: resource.level == 7 && mine }]\n'

function firstOf(bundle: Bundle): InvariantProof {
  const [proof] = proveInvariants(bundle, 1_000_000)
  if (proof === undefined) throw new Error('no invariant')
  return proof
}

const COLUMNS = 'id, tenant_id, shared_with, level'
const FROM_JSON = `SELECT ${COLUMNS} FROM jsonb_populate_record(NULL::public.notes, $1::jsonb)`

function statementOf({ action, counterexample }: InvariantProof): readonly [string, readonly unknown[]] {
  const row = JSON.stringify(counterexample?.row)
  const id = counterexample?.row['id']
  switch (action ?? 'update') {
    case 'create':
      return [`INSERT INTO public.notes ${FROM_JSON}`, [row]]
    case 'read':
      return ['SELECT id FROM public.notes WHERE id = $1', [id]]
    case 'delete':
      return ['DELETE FROM public.notes WHERE id = $1', [id]]
    default:
      return [
        `UPDATE public.notes o SET tenant_id = x.tenant_id, shared_with = x.shared_with, level = x.level
         FROM (${FROM_JSON}) x WHERE o.id = x.id`,
        [JSON.stringify(counterexample?.next)]
      ]
  }
}

t.test('every counterexample is allowed by PostgreSQL too, and a column rule denies the update', async t => {
  const { admin, app } = await connections(await createDatabase(t))
  t.teardown(async () => {
    await app.end()
    await admin.end()
  })
  await admin.query(
    'CREATE TABLE public.notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, shared_with uuid[], level bigint)'
  )
  const install = async (bundle: Bundle) => {
    await admin.query(
      `DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname FROM pg_policies WHERE tablename = 'notes' LOOP
         EXECUTE format('DROP POLICY %I ON public.notes', p.policyname); END LOOP; END $$;
       DROP TRIGGER IF EXISTS "A_twinrule_notes_columns" ON public.notes`
    )
    const objects = bundle.resources.flatMap(resource => [
      ...guardFunctions(resource, bundle).map(functionObject),
      ...tableObjects(resource, bundle),
      ...guardObjects(resource)
    ])
    await admin.query(objects.map(({ up }) => `${up}`).join('\n'))
  }
  /** How many rows the app role reaches with the statement of a counterexample, or the code of the error. */
  const attempt = async (proof: InvariantProof): Promise<number | string> => {
    const { counterexample, action } = proof
    await admin.query('TRUNCATE public.notes')
    if (action !== 'create')
      await admin.query(`INSERT INTO public.notes ${FROM_JSON}`, [JSON.stringify(counterexample?.row)])
    await app.query('BEGIN')
    try {
      await app.query("SELECT set_config('test.principal', $1, true)", [
        JSON.stringify(counterexample?.principal)
      ])
      const [text, values] = statementOf(proof)
      return (await app.query(text, [...values])).rowCount ?? 0
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    } finally {
      await app.query('ROLLBACK')
    }
  }
  for (const [rules, invariant] of REFUTED) {
    const bundle = bundleOf(policy('', rules, invariant))
    const proof = firstOf(bundle)
    t.equal(proof.verdict, 'refuted', invariant)
    await install(bundle)
    t.equal(await attempt(proof), 1, `allowed: ${invariant}`)
    if (proof.kind !== 'only_when') continue
    await install(bundleOf(policy(RULE, rules, invariant)))
    t.equal(await attempt(proof), '42501', `denied with the column rule: ${invariant}`)
  }
})
