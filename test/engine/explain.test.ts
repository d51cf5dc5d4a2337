import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { createEngine, type Engine } from '../../src/engine/engine.js'
import { explain } from '../../src/engine/explain/explain.js'
import type { Explanation, Traced } from '../../src/engine/explain/explanation.js'
import { EXPLANATION_SCHEMA } from '../../src/engine/explain/schema.js'
import { explanationText } from '../../src/engine/explain/text.js'
import { Judge } from '../../src/engine/judge.js'
import type { DecisionRequest } from '../../src/engine/request.js'
import type { Bundle } from '../../src/ir/model.js'
import { loadFolder, loadTexts } from '../../src/policy/load.js'
import { PARENTS, parentRow, policyText, principal, row } from '../agreement/arbitraries.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const NOW = Date.parse('2026-06-01T00:00:00Z') * 1000
const ID = '10000000-0000-0000-0000-000000000001'
const isValid = new Ajv({ strict: true, allowUnionTypes: true }).compile(EXPLANATION_SCHEMA)

const tenant = (n: string): string => `00000000-0000-0000-0000-${n.padStart(12, '0')}`
const user = (n: string): string => `00000000-0000-0000-0001-${n.padStart(12, '0')}`

interface Change {
  readonly who?: Record<string, unknown>
  readonly action?: string
  readonly changes?: Record<string, unknown>
  readonly row?: Record<string, unknown>
}

function request(type: string, properties: Record<string, unknown>, change: Change): DecisionRequest {
  const { action = 'read', changes } = change
  return {
    subject: { type: 'user', id: user('b'), properties: { tenant_id: tenant('b'), ...change.who } },
    action: { name: action, ...(changes === undefined ? {} : { properties: { changes } }) },
    resource: { type, id: ID, properties: { ...properties, ...change.row } }
  }
}

async function bundleOf(folder: string): Promise<Bundle> {
  const { bundle } = await loadFolder(folder)
  if (bundle === null) throw new Error(`${folder} does not load`)
  return bundle
}

async function example() {
  const engine = createEngine(await bundleOf('policies'))
  const agent = {
    tenant_id: tenant('a'),
    name: 'x',
    is_shared: true,
    sharing_mode: 'selective',
    shared_with: [null],
    resource_type: 'custom'
  }
  return { engine, ask: (change: Change) => request('agent', agent, change) }
}

/** Where the policy file declares a rule, looked up in its text, so that an edit above it fails no test. */
function declared(rule: string): string {
  const lines = readFileSync('policies/platform.yaml', 'utf8').split('\n')
  return `policies/platform.yaml:${lines.indexOf(`      ${rule}:`) + 1}:7`
}

const collaboration = () => bundleOf('examples/collaboration/policies')

t.test('a deny is explained rule by rule, with what would allow it', async t => {
  const { engine, ask } = await example()
  const text = explanationText(engine.explain(ask({ who: { tenant_type: 'client' } })))
  t.equal(
    text,
    `DENIED  read agent ${ID} for ${user('b')}
  no rule allows read on agent for this row (no_rule)

  who asks  id: "${user('b')}", is_platform_admin: null, tenant_id: "${tenant('b')}", tenant_type: "client"

1. read: no, no rule allows it
   global does not allow (when at ${declared('global')})
      false    resource.sharing_mode == "global"  resource.sharing_mode is "selective"
   owner does not allow (when at ${declared('owner')})
      false    resource.tenant_id == principal.tenant_id
               resource.tenant_id is "${tenant('a')}", principal.tenant_id is "${tenant('b')}"
   platform-admin does not allow (when at ${declared('platform-admin')})
      unknown  principal.is_platform_admin  principal.is_platform_admin is null
   selective does not allow (when at ${declared('selective')})
      unknown  principal.tenant_id in resource.shared_with
               principal.tenant_id is not in it, and resource.shared_with holds a null, which could be it

Any one of these changes would allow it:
  - resource.sharing_mode: "global" instead of "selective"
  - resource.tenant_id: "${tenant('b')}" instead of "${tenant('a')}"
  - resource.shared_with: with "${tenant('b')}" in it
  - principal.tenant_id: "${tenant('a')}" instead of "${tenant('b')}"
  - principal.is_platform_admin: true instead of null
`
  )
})

t.test('an update is explained for both rows, and a change that is too much can be left out', async t => {
  const { engine, ask } = await example()
  const changes = { sharing_mode: 'global', name: 'y' }
  const explanation = engine.explain(ask({ who: { tenant_id: tenant('a') }, action: 'update', changes }))
  t.match(explanation, {
    decision: false,
    changed: ['name', 'sharing_mode'],
    row: { name: 'x', sharing_mode: 'selective' },
    next: { name: 'y', sharing_mode: 'global' },
    demands: [
      { action: 'update', part: 'when', row: 'old', met: true },
      { action: 'read', part: 'when', row: 'old', met: true },
      { action: 'update', part: 'check', row: 'new', met: false },
      { action: 'read', part: 'when', row: 'new', met: true }
    ],
    nearest: {
      outcome: 'found',
      grants: [[{ change: 'leave', at: 'changes.sharing_mode' }], [{ at: 'principal.is_platform_admin' }]]
    }
  })
  t.match(explanationText(explanation), /3\. update of the row as it would become: no, no rule allows it/)
})

t.test('immutable columns and column rules are explained', async t => {
  const engine = createEngine(await collaboration())
  const workflow = {
    tenant_id: tenant('b'),
    is_shared: false,
    sharing_mode: 'private',
    shared_with: null,
    resource_type: null
  }
  const ask = (changes: Record<string, unknown>) =>
    engine.explain(
      request('workflow', workflow, { who: { tenant_status: 'active' }, action: 'update', changes })
    )
  t.match(ask({ id: tenant('1') }), {
    code: 'immutable_column',
    columns: [{ kind: 'immutable', columns: ['id'], permits: false }],
    nearest: { grants: [[{ change: 'leave', at: 'changes.id' }]] }
  })
  const moved = ask({ tenant_id: tenant('a') })
  t.match(moved.columns, [
    { kind: 'rule', columns: ['tenant_id'], permits: false, condition: { kind: 'test', truth: 'unknown' } }
  ])
  t.match(
    explanationText(moved),
    /change tenant_id: no \(column rule at .*\)\n +unknown {2}principal.is_platform_admin/
  )
})

t.test('forbids and related rows are explained with the rows', async t => {
  const engine = createEngine(await collaboration())
  const document = { tenant_id: tenant('a'), owner_id: null, title: 'Plan', expires_at: null }
  const share = (level: string | null) => ({ document_id: ID, tenant_id: tenant('b'), level })
  const ask = (shares: readonly unknown[]) =>
    engine.explain(request('document', document, { row: { shares } }))
  t.match(explanationText(ask([share('read')])), /ALLOWED[\s\S]+shared allows[\s\S]+level: "read"/)
  const unknown = ask([share('read'), share(null)])
  t.match(unknown, { code: 'forbidden', rule: 'blocked' })
  t.match(
    explanationText(unknown),
    /read: no, it is forbidden\n {3}blocked forbids[\s\S]+unknown {2}related.level == "none" {2}related.level is null/
  )
  t.match(unknown.nearest, {
    grants: [
      [{ change: 'remove_row', at: 'resource.shares[1]' }],
      [{ change: 'set', at: 'resource.shares[1].level' }]
    ]
  })
  t.match(ask([]).nearest, {
    grants: [[{ change: 'add_row', at: 'resource.shares', row: { document_id: ID, tenant_id: tenant('b') } }]]
  })
})

t.test('a relation says which rows do not count', async t => {
  const engine = createEngine(await collaboration())
  const shared = {
    is_shared: false,
    sharing_mode: 'private',
    shared_with: null,
    resource_type: null,
    tenant_id: tenant('a')
  }
  const tool = { ...shared, workflow_id: tenant('5'), workflow: { ...shared, id: tenant('5') } }
  const who = { who: { tenant_status: 'active' } }
  const explanation = engine.explain(request('tool', tool, who))
  t.match(explanationText(explanation), /does not count: who asks may not read it/)
  const redacted = engine.explain(request('tool', { ...tool, tenant_id: tenant('b') }, who), { redact: true })
  const traced = redacted.demands[0]?.rules.find(({ rule }) => rule === 'via-workflow')?.condition
  t.match(traced, { kind: 'related', truth: 'false', rows: [] }, 'the row is readable, its workflow is not')
})

t.test('what is denied before any rule is asked has no rules to explain', async t => {
  const { engine, ask } = await example()
  for (const change of [{ action: 'fly' }, { row: { is_shared: 7 } }]) {
    const explanation = engine.explain(ask(change))
    t.match(explanation, { decision: false, principal: null, demands: [], nearest: { outcome: 'not_asked' } })
    t.ok(isValid(explanation), JSON.stringify(isValid.errors))
  }
})

t.test('where no small change helps, it says so', async t => {
  const { bundle } = loadTexts({
    'a.yaml': `version: 1
principal: { id: uuid, tenant_id: uuid }
resources:
  note:
    columns: { id: uuid!, a: bool!, b: bool!, c: int! }
    rules:
      all: { allow: [read], when: resource.a && resource.b && resource.c > 5 }
      never: { allow: [delete], when: "false" }
`
  })
  const engine = createEngine(bundle as Bundle)
  const ask = (action: string, options = {}) =>
    engine.explain(request('note', { a: false, b: false, c: 0 }, { action }), options)
  t.match(ask('read').nearest, { outcome: 'found', grants: [{ length: 3 }] })
  t.match(explanationText(ask('read')), /takes 3 steps:\n {2}- resource\.\w: .*\n {2}- resource/)
  t.strictSame(ask('read', { maxSteps: 2 }).nearest, { outcome: 'none', steps: 2 })
  t.match(explanationText(ask('read', { maxSteps: 2 })), /\nNo change of at most 2 things would allow it\.\n/)
  t.match(ask('read', { maxTries: 3 }).nearest, { outcome: 'too_many', steps: 0 })
  t.match(ask('delete').nearest, { outcome: 'none' })
  t.match(explanationText(ask('create')), /no, there is no rule that allows it to anybody/)
})

t.test('an explanation that does not come to the decision is a fault, not an answer', async t => {
  const bundle = await bundleOf('policies')
  const judge = new Judge(bundle)
  const { ask } = await example()
  const prepared = judge.prepare(ask({}))
  const right = judge.decide(prepared, NOW)
  const of = (answer: typeof right) => () =>
    explain(
      { bundle, request: ask({}), prepared, answer, now: NOW, nearest: () => ({ outcome: 'not_asked' }) },
      {}
    )
  t.doesNotThrow(of(right))
  t.throws(of({ ...right, decision: true }), { code: 'TWR_BUG' })
  t.throws(
    of({ ...right, context: { ...right.context, rule: 'owner' } }),
    { code: 'TWR_BUG' },
    'nor another rule'
  )
})

/** Two rows that may differ in everything but their id, with parents of their own. */
const rows = fc.record({ row, parent: parentRow }).map(({ row: one, parent }) => {
  const p = PARENTS[0] as string
  return { ...one, id: ID, p, parent: [{ ...parent, id: p }], links: [] }
})

function* redactions(): Generator<{ engine: Engine; requests: readonly DecisionRequest[]; seed: number }> {
  for (let seed = SEED; ; seed++) {
    const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    if (bundle === null) continue
    const engine = createEngine(bundle, { clock: () => NOW })
    const some = fc.sample(rows, { seed, numRuns: 8 })
    for (const who of fc.sample(principal, { seed, numRuns: 4 })) {
      for (const action of ['read', 'update', 'delete']) {
        const requests = some.map(properties => ({
          subject: { type: 'user', id: who.id ?? ID, properties: who },
          action: { name: action, properties: { changes: { u: null, b: true, n: 1 } } },
          resource: { type: 'thing', id: ID, properties }
        }))
        yield { engine, requests, seed }
      }
    }
  }
}

t.test(
  'of a row that the asker may not read, the redacted form tells nothing beside the decision',
  async (t): Promise<void> => {
    t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
    let compared = 0
    for (const { engine, requests, seed } of redactions()) {
      const seen = new Map<string, string>()
      for (const one of requests) {
        const explanation = engine.explain(one, { redact: true })
        if (!isValid(explanation)) {
          t.fail('not of the documented shape', { errors: isValid.errors })
          return
        }
        if (engine.decide({ ...one, action: { name: 'read' } }).decision) continue
        const answer = JSON.stringify(engine.decide(one))
        const said = JSON.stringify(explanation)
        const before = seen.get(answer) ?? said
        seen.set(answer, before)
        if (said !== before) {
          t.fail(`seed ${seed}: two hidden rows are told apart`, { before, said })
          return
        }
        if (explanation.row !== null) {
          t.fail(`seed ${seed}: a hidden row is shown`, { said })
          return
        }
        compared++
      }
      if (compared > 4000) break
    }
    t.ok(compared > 4000, `${compared} explanations of hidden rows`)
  }
)

t.test('of related rows that the asker may not read, the redacted form tells nothing', async t => {
  let compared = 0
  for (const { engine, requests, seed } of redactions()) {
    const [first] = requests
    const seen = new Map<string, string>()
    for (const one of requests) {
      // the same row, beside parents of which some may not be read
      const properties = { ...first?.resource.properties, parent: one.resource.properties?.['parent'] }
      const ask = { ...one, resource: { ...one.resource, properties } }
      if (conditionsOf(engine.explain(ask)).some(readsCounting)) continue
      const said = JSON.stringify(engine.explain(ask, { redact: true }))
      const answer = JSON.stringify(engine.decide(ask))
      const before = seen.get(answer) ?? said
      seen.set(answer, before)
      if (said !== before) {
        t.fail(`seed ${seed}: two hidden related rows are told apart`, { before, said })
        return
      }
      compared++
    }
    if (compared > 2000) break
  }
  t.ok(compared > 2000, `${compared} explanations beside hidden parents`)
})

function conditionsOf({ demands, columns }: Explanation): readonly Traced[] {
  const rules = demands.flatMap(one => one.rules)
  return [...rules.map(({ condition }) => condition), ...columns.flatMap(({ condition }) => condition ?? [])]
}

function readsCounting(condition: Traced): boolean {
  if (condition.kind === 'related') return condition.rows.some(({ counts }) => counts)
  return 'of' in condition && condition.of.some(readsCounting)
}

t.test('what the asker may read is shown in the redacted form too', async t => {
  const { engine, ask } = await example()
  const mine = ask({ who: { tenant_id: tenant('a') }, action: 'update', changes: { sharing_mode: 'global' } })
  const strip = ({ redacted: _, ...rest }: Explanation) => rest
  t.strictSame(strip(engine.explain(mine, { redact: true })), strip(engine.explain(mine)))
  const text = explanationText(engine.explain(ask({}), { redact: true }))
  t.match(text, /the row {3}is hidden from who asks/)
  t.match(text, /What would have to change is not shown/)
  t.notMatch(text, tenant('a'), 'no value of another tenant')
})

t.test('the shipped schema is that of the source', async t => {
  const shipped = readFileSync('schema/explanation.schema.json', 'utf8')
  t.equal(shipped, `${JSON.stringify(EXPLANATION_SCHEMA, null, 2)}\n`, 'rewrite it with `npm run schema`')
})
