import fc from 'fast-check'
import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import type { JsonValue } from '../../src/ir/json.js'
import { type Bundle, resourceOf } from '../../src/ir/model.js'
import { parseTimestamp } from '../../src/ir/time.js'
import { loadTexts } from '../../src/policy/load.js'
import { proveInvariants } from '../../src/prove/invariants.js'
import type { InvariantCounterexample, InvariantProof } from '../../src/prove/report.js'
import { type Principal, policyText, type Row } from '../agreement/arbitraries.js'
import { askDatabase, connections, databaseLock, type Mutation } from '../agreement/locks.js'
import { createDatabase } from '../support/cluster.js'
import { requestOf } from './replay.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const WANTED = Number(process.env['TWINRULE_REPLAYS'] ?? 60)
const NONE: Mutation = { sql: text => text, casl: rules => rules }

const DEMANDS = `version: 1
invariants:
  - never: { action: read, when: 'resource.links.exists(l, l.t == "a")', resources: [thing] }
  - never: { action: read, when: 'resource.parent.can("read") && resource.u != principal.tenant_id', resources: [thing] }
  - never: { action: delete, when: 'resource.u != principal.tenant_id', resources: [thing] }
  - never: { action: create, when: 'resource.m == "private"', resources: [thing] }
  - never: { action: update, when: 'resource.v == principal.id', resources: [thing] }
  - unchanged: { columns: [p, t], unless: 'principal.is_platform_admin', resources: [thing] }
  - only_when: { changes: [us, b], when: 'resource.links.exists(l, l.u == principal.id)', resources: [thing] }
`

/** A counterexample as the tables would hold it. */
function tablesOf({ row, next }: InvariantCounterexample) {
  const rows = next === null ? [row] : [row, next]
  const related = (name: string) => {
    const all = rows.flatMap(one => one[name] as readonly JsonValue[])
    return [...new Map(all.map(one => [JSON.stringify(one), one])).values()] as Readonly<
      Record<string, unknown>
    >[]
  }
  const own = (one: InvariantCounterexample['row']) => {
    const { parent: _, links: __, ...columns } = one
    return columns as unknown as Row
  }
  return {
    row: own(row),
    next: next === null ? null : own(next),
    parents: related('parent'),
    links: related('links')
  }
}

/** The answers of the engine and of PostgreSQL to a counterexample. */
async function answersTo(
  bundle: Bundle,
  proof: InvariantProof,
  locks: Awaited<ReturnType<typeof connections>>
) {
  const { action, counterexample } = proof
  if (counterexample === null) throw new Error(`no counterexample: ${proof.verdict}`)
  const { row, next, parents, links } = tablesOf(counterexample)
  const time = counterexample.now === null ? null : Number(parseTimestamp(counterexample.now))
  const clock = time === null ? {} : { clock: () => time }
  const engine = createEngine(bundle, clock).decide(requestOf(bundle, proof))
  const rows = action === 'create' ? [] : [row]
  const inserts = action === 'create' ? [row] : []
  const updates = next === null ? [] : [{ old: row, next }]
  await databaseLock(bundle, NONE, locks.admin, { rows, inserts, updates, parents, links })
  const principal = counterexample.principal as unknown as Principal
  const answers = await askDatabase(locks.app, principal, { rows, inserts, updates, parents, links })
  const asked = (action ?? 'update') as 'read' | 'create' | 'update' | 'delete'
  // PostgreSQL's time is its own
  return { engine, database: time === null ? answers[asked][0] : true }
}

t.test('counterexamples of random policies are allowed by the engine and by PostgreSQL', async t => {
  t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
  const locks = await connections(await createDatabase(t))
  t.teardown(() => Promise.all([locks.admin.end(), locks.app.end()]))
  let [replayed, related] = [0, 0]
  for (let n = 0; replayed < WANTED || related < WANTED / 4; n++) {
    const [text = ''] = fc.sample(policyText, { seed: SEED + n, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text, 'demands.yaml': DEMANDS })
    if (bundle === null || resourceOf(bundle, 'thing') === undefined) continue
    for (const proof of proveInvariants(bundle, 20_000)) {
      const { counterexample } = proof
      // the test finds the row of an update by its id
      if (counterexample === null || counterexample.changed.includes('id')) continue
      replayed++
      const { parents, links } = tablesOf(counterexample)
      if (parents.length + links.length > 0) related++
      const { engine, database } = await answersTo(bundle, proof, locks)
      if (engine.decision && database === true) continue
      t.fail(`seed ${SEED + n}: ${proof.kind} ${proof.action}`, { engine, database, counterexample, text })
    }
  }
  t.ok(replayed >= WANTED, `${replayed} counterexamples, ${related} with related rows`)
})
