import fc from 'fast-check'
import pg from 'pg'
import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase } from '../support/cluster.js'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.js'
import { policyText, principal } from './arbitraries.js'
import { attemptsFor } from './attempts.js'
import { appLocks, askDatabase, connections, databaseLock, type Mutation } from './locks.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const WANTED = Number(process.env['TWINRULE_DECISIONS'] ?? 110_000)
const PRINCIPALS = 8
const REFUSED: ReadonlySet<string> = new Set(['TWR_POLICY_TOO_COMPLEX', 'TWR_POLICY_NOT_PORTABLE'])
const program = findPgBouncer()
const absent = program === null ? { skip: 'PgBouncer is not installed (Debian: pgbouncer)' } : {}

const NONE: Mutation = { sql: text => text, casl: rules => rules }

interface Outcome {
  readonly decisions: number
  readonly allowed: number
  readonly mismatch: string | null
}

/** Puts random policies to every lock until enough decisions were compared or two locks differ. */
async function compare(
  locks: Awaited<ReturnType<typeof connections>>,
  seed: number,
  wanted: number,
  mutation: Mutation
): Promise<Outcome> {
  let decisions = 0
  let allowed = 0
  for (let n = 0; decisions < wanted; n++) {
    const [text = ''] = fc.sample(policyText, { seed: seed + n, numRuns: 1 })
    const { bundle, problems } = loadTexts({ 'random.yaml': text })
    if (bundle === null) {
      // the refusals that a well-typed random policy can meet
      if (problems.every(({ code }) => REFUSED.has(code))) continue
      return { decisions, allowed, mismatch: `does not load:\n${text}\n${problems.join('\n')}` }
    }
    const attempts = attemptsFor(seed + n)
    const ask = appLocks(bundle, mutation)
    await databaseLock(bundle, mutation, locks.admin, attempts)
    for (const who of fc.sample(principal, { seed: seed + n, numRuns: PRINCIPALS })) {
      // the app is given the time that PostgreSQL's transaction had
      const postgresql = await askDatabase(locks.app, who, attempts)
      const app = ask(who, attempts, postgresql.now)
      const all = { ...app, postgresql }
      for (const action of ['read', 'delete', 'create', 'update'] as const) {
        const expected = app['reference']?.[action] ?? []
        decisions += expected.length
        allowed += expected.filter(Boolean).length
        for (const [name, { [action]: got }] of Object.entries(all)) {
          const at = expected.findIndex((verdict, i) => verdict !== got[i])
          if (at < 0 && got.length === expected.length) continue
          const about = {
            read: attempts.rows,
            delete: attempts.rows,
            create: attempts.inserts,
            update: attempts.updates
          }[action][at]
          const seen = `${name} says ${got[at]}, the reference ${expected[at]}: ${action}`
          const mismatch = `seed ${seed + n}\n${seen}\n${text}\n${JSON.stringify(who)}\n${JSON.stringify(about)}`
          return { decisions, allowed, mismatch }
        }
      }
    }
  }
  return { decisions, allowed, mismatch: null }
}

t.test(
  'random policies mean the same in the reference, stock CASL, the compiled rules and PostgreSQL',
  async t => {
    const locks = await connections(await createDatabase(t))
    t.teardown(() => Promise.all([locks.admin.end(), locks.app.end()]))
    t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED})`)
    const { decisions, allowed, mismatch } = await compare(locks, SEED, WANTED, NONE)
    t.equal(mismatch, null, `seed ${SEED}`)
    t.ok(decisions >= WANTED, `${decisions} decisions were compared`)
    t.ok(allowed > decisions / 20 && allowed < (decisions * 19) / 20, `${allowed} of them allow`)
  }
)

t.test('and so through PgBouncer in transaction mode', absent, async t => {
  if (program === null) return
  const database = await createDatabase(t)
  const { admin, app } = await connections(database)
  await app.end()
  const url = await startPgBouncer(t, database, { program, role: 'twinrule_app', connections: 2 })
  const pooled = new pg.Client(url)
  await pooled.connect()
  t.teardown(() => Promise.all([admin.end(), pooled.end()]))
  const seed = SEED + 1_000_000
  t.comment(`seed ${seed}`)
  const { mismatch, decisions } = await compare({ admin, app: pooled }, seed, WANTED / 10, NONE)
  t.equal(mismatch, null, `seed ${seed}`)
  t.ok(decisions >= WANTED / 10, `${decisions} decisions were compared`)
})

t.test('a NULL guard that is missing from one backend is noticed', async t => {
  const locks = await connections(await createDatabase(t))
  t.teardown(() => Promise.all([locks.admin.end(), locks.app.end()]))
  const withoutNull = (operand: unknown) =>
    Array.isArray(operand) ? operand.filter(value => value !== null) : operand
  const mutants: Readonly<Record<string, Mutation>> = {
    'SQL: IS NOT NULL before <> ALL': {
      ...NONE,
      sql: text => text.replaceAll(/\(([^\n]+?) IS NOT NULL AND \1 <> ALL/g, '($1 <> ALL')
    },
    'SQL: the principal must be known': {
      ...NONE,
      sql: text => text.replaceAll('(SELECT twinrule.get_current_user_id()) IS NULL', 'false')
    },
    'CASL: null in $nin': {
      ...NONE,
      casl: rules =>
        rules.map(rule => ({
          ...rule,
          conditions: Object.fromEntries(
            Object.entries(rule.conditions ?? {}).map(([column, operators]) => [
              column,
              { ...operators, ...('$nin' in operators ? { $nin: withoutNull(operators.$nin) } : {}) }
            ])
          )
        }))
    }
  }
  for (const [name, mutation] of Object.entries(mutants)) {
    const { mismatch, decisions } = await compare(locks, SEED, WANTED * 10, mutation)
    t.not(mismatch, null, `${name}: noticed after ${decisions} decisions`)
  }
})
