import { createMongoAbility, type MongoAbility } from '@casl/ability'
import t from 'tap'
import { caslRules } from '../../src/backends/casl.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { askGate, buildAbility } from '../../src/engine/ability.js'
import type { Values } from '../../src/ir/evaluate.js'
import type { Gate } from '../../src/ir/gates.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { canonical } from '../../src/ir/values.js'
import type { Counterexample } from '../../src/prove/counterexample.js'
import { tableSql } from '../../src/prove/emitted.js'
import { prove } from '../../src/prove/prove.js'
import type { PortableRules } from '../../src/prove/sides.js'
import { connections } from '../agreement/locks.js'
import { createDatabase } from '../support/cluster.js'
import { bundleOf } from './policies.js'

const bundle = bundleOf(`version: 1
principal: { id: uuid, tenant_id: uuid }
macros:
  mine: resource.tenant_id == principal.tenant_id
  guest: principal.tenant_id in resource.shared_with
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid!, shared_with: set<uuid>, state: text, level: int }
    rules:
      owner: { allow: [read, create, update, delete], when: mine }
      guest: { allow: [read, update], when: guest, check: 'guest && mine' }
      elsewhere: { allow: [read], when: 'resource.level != 7 && principal.tenant_id not in resource.shared_with' }
      frozen: { forbid: [update], when: resource.state == "frozen" }
`)
const note = bundle.resources[0] as Resource
const casl = caslRules as unknown as PortableRules

type Rule = ReturnType<PortableRules>[number]

/** Portable rules of one action with the operand of an operator on a column changed. */
function withOperand(action: string, column: string, operator: string, change: (of: unknown[]) => unknown[]) {
  return (rule: Rule): Rule => {
    const conditions = rule['conditions'] as Record<string, Record<string, unknown[]>> | undefined
    const operand = conditions?.[column]?.[operator]
    if (rule['action'] !== action || operand === undefined) return rule
    return {
      ...rule,
      conditions: { ...conditions, [column]: { ...conditions?.[column], [operator]: change(operand) } }
    }
  }
}

const withoutNull = (of: unknown[]) => of.filter(one => one !== null)

interface Wrong {
  readonly name: string
  readonly gate: Gate
  readonly sql?: (text: string) => string
  readonly casl?: (rule: Rule) => Rule
}

/** What hand-made locks get wrong, one lock at a time. */
const WRONG: readonly Wrong[] = [
  {
    name: 'a forbid that nulls slip past, in SQL',
    gate: 'update',
    sql: text => text.replaceAll(`"state" <> 'frozen'`, `("state" <> 'frozen' OR "state" IS NULL)`)
  },
  {
    name: 'a forbid that nulls slip past, in CASL',
    gate: 'update',
    casl: withOperand('update', 'state', '$in', withoutNull)
  },
  {
    name: '!= without a guard, in CASL',
    gate: 'read',
    casl: withOperand('read', 'level', '$nin', withoutNull)
  },
  {
    name: 'not in without a guard, in SQL',
    gate: 'read',
    sql: text =>
      text
        .replaceAll(/\((\S+ \S+) IS NOT NULL AND \1 <> ALL/g, '($1 <> ALL')
        .replaceAll(/\(([^\n]+?) IS NOT NULL AND \1 <> ALL/g, '($1 <> ALL')
  },
  {
    name: 'an UPDATE whose CHECK is missing',
    gate: 'update_new',
    sql: text => text.replaceAll(/(FOR UPDATE[\s\S]*?)\n {2}WITH CHECK \([\s\S]*?\n {2}\);/g, '$1;')
  }
]

function canonicalOf(columns: Resource['columns'] | Bundle['principal'], given: object): Values {
  return Object.fromEntries(
    columns.map(({ name, type }) => {
      const value = canonical(type, (given as Record<string, unknown>)[name])
      if (!value.ok) throw new Error(value.problem)
      return [name, value.value]
    })
  )
}

/** What the app side says of a counterexample: stock CASL with the given rules, and the engine. */
function appSays({ principal, row }: Counterexample, gate: Gate, change: (rule: Rule) => Rule) {
  const who = canonicalOf(bundle.principal, principal)
  const what = canonicalOf(note.columns, row)
  const rules = casl(bundle, who, null).map(change)
  const ability: MongoAbility = createMongoAbility(rules as unknown as MongoAbility['rules'], {
    detectSubjectType: () => 'note'
  })
  const engine = askGate(buildAbility(bundle), gate, { type: 'note', principal: who, row: what, now: null })
  return { CASL: ability.can(gate, what), compiled: engine.open }
}

const FROM_JSON = 'SELECT * FROM jsonb_populate_record(NULL::public.notes, $1::jsonb)'

t.test('what is wrong with a lock is refuted, and the case does on both locks what it claims', async t => {
  const { admin, app } = await connections(await createDatabase(t))
  t.teardown(() => Promise.all([app.end(), admin.end()]))
  await admin.query(
    'CREATE TABLE public.notes (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, shared_with uuid[], state text, level bigint)'
  )
  const install = (change: (text: string) => string) =>
    admin.query(
      `DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname FROM pg_policies WHERE tablename = 'notes' LOOP
         EXECUTE format('DROP POLICY %I ON public.notes', p.policyname); END LOOP; END $$;
       ${change(
         tableObjects(note, bundle)
           .map(({ up }) => `${up}`)
           .join('\n')
       )}`
    )
  /** Whether the installed SQL lets the counterexample pass. A new row is written over one of the principal's own. */
  const postgresSays = async ({ principal, row }: Counterexample, gate: Gate): Promise<boolean> => {
    await admin.query('TRUNCATE public.notes')
    const old = gate === 'update_new' ? { ...row, tenant_id: principal['tenant_id'], state: 'open' } : row
    await admin.query(`INSERT INTO public.notes ${FROM_JSON}`, [JSON.stringify(old)])
    await app.query('BEGIN')
    try {
      await app.query("SELECT set_config('test.principal', $1, true)", [JSON.stringify(principal)])
      const statement =
        gate === 'read'
          ? 'SELECT id FROM public.notes'
          : `UPDATE public.notes o SET tenant_id = x.tenant_id, shared_with = x.shared_with, state = x.state,
               level = x.level FROM (${FROM_JSON}) x WHERE o.id = x.id`
      const { rowCount } = await app.query(statement, gate === 'read' ? [] : [JSON.stringify(row)])
      return rowCount === 1
    } catch (error) {
      if ((error as { code?: string }).code !== '42501') throw error
      return false
    } finally {
      await app.query('ROLLBACK')
    }
  }
  for (const { name, gate, sql = (text: string) => text, casl: change = (rule: Rule) => rule } of WRONG) {
    const report = await prove(bundle, {
      emitted: {
        sql: (...of) => sql(tableSql(...of)),
        casl: (of, principal, now) => casl(of, principal, now).map(change)
      }
    })
    t.equal(report.verdict, 'refuted', name)
    const found = report.resources[0]?.gates.find(one => one.gate === gate)?.counterexample
    if (found == null) throw new Error(`${name}: no case at ${gate}`)
    t.equal(found.says['reference'], false, `${name}: the rules deny`)
    await install(sql)
    const said = { ...appSays(found, gate, change), 'SQL twinrule_app': await postgresSays(found, gate) }
    // the guard is one half of the SQL, which is installed whole; and the policy for lists is not asked here
    const {
      reference: _,
      'SQL twinrule_app, guard alone': __,
      'list twinrule_lister': ___,
      ...claimed
    } = found.says
    t.strictSame(said, claimed, `${name}: as claimed, ${JSON.stringify(claimed)}`)
    await install(text => text)
    const right = { ...appSays(found, gate, one => one), 'SQL twinrule_app': await postgresSays(found, gate) }
    t.strictSame(Object.values(right), [false, false, false], `${name}: the locks as they are deny`)
  }
})
