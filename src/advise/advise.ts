import type { ClientBase } from 'pg'
import { indexesOf } from '../backends/sql/indexes.js'
import { ROLES } from '../backends/sql/names.js'
import type { Bundle } from '../ir/model.js'
import { keyForTests } from '../testing/context.js'
import { COPIES, copyTable } from './copy.js'
import { type Explained, explain, type Principal } from './explain.js'
import { type Blocked, blockedTests } from './leakproof.js'
import { indexConditions, onceMilliseconds, type Scan, scansOf, sortColumns, testsOf } from './plan.js'
import type { Statement } from './statements.js'

/** An index that was made on a copy, and what it changed there. */
export interface TriedIndex {
  /** The statement that makes it on the table itself. */
  readonly create: string
  readonly before: number
  readonly after: number
  /** Rows of the copy, and whether these are all. */
  readonly rows: number
  readonly whole: boolean
}

/** What there is to say of a statement as one principal. */
export interface Advice {
  readonly statement: string
  readonly principal: Principal
  readonly error: string | null
  readonly planning: number
  readonly execution: number | null
  /** For who the user is, once a statement. */
  readonly once: number
  readonly scans: readonly Scan[]
  readonly blocked: readonly Blocked[]
  /** Indexes that made it faster, the best first. */
  readonly indexes: readonly TriedIndex[]
}

interface Options {
  readonly principals: readonly Principal[]
  readonly statements: readonly Statement[]
  /** The most rows of a copy. */
  readonly rows: number
}

type Session = Options & {
  readonly client: ClientBase
  readonly bundle: Bundle
  readonly key: Awaited<ReturnType<typeof keyForTests>>
}

/** An index is tried when a table is read so much more than it gives, and counts when it saves that much. */
const READ_IN_VAIN = 10
const FASTER = 1.5
const MANY_ROWS = 500
const PATH = 'public'

/**
 * What statements cost under row-level security. Everything happens in one transaction that is rolled back.
 *
 * @param client a superuser's
 */
export async function advise(
  client: ClientBase,
  bundle: Bundle,
  options: Options
): Promise<readonly Advice[]> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
  try {
    await client.query("SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '2s'")
    const session = { ...options, client, bundle, key: await keyForTests(client, bundle) }
    const advice: Advice[] = []
    for (const statement of options.statements) {
      for (const principal of options.principals) advice.push(await adviceOn(session, statement, principal))
    }
    return advice
  } finally {
    await client.query('ROLLBACK')
  }
}

async function adviceOn(session: Session, statement: Statement, principal: Principal): Promise<Advice> {
  const { client, key } = session
  const head = { statement: statement.text, principal }
  const nothing = { planning: 0, execution: null, once: 0, scans: [], blocked: [], indexes: [] }
  try {
    const under = { key, principal, path: PATH }
    const explained = await explain(client, statement, { ...under, runs: true })
    const can = await explain(client, statement, { ...under, runs: false, indexesOnly: true })
    const free = { ...under, principal: null, runs: false, indexesOnly: true }
    const without = await explain(client, statement, free)
    const scans = scansOf(explained.plan, testsOf(without.plan))
    const blocked = await blockedTests(client, indexConditions(without.plan), indexConditions(can.plan))
    const { planning, execution, plan } = explained
    const indexes = await tryIndexes(session, { statement, principal, explained, scans })
    return {
      ...head,
      error: null,
      planning,
      execution,
      once: onceMilliseconds(plan),
      scans,
      blocked,
      indexes
    }
  } catch (error) {
    return { ...head, ...nothing, error: error instanceof Error ? error.message : String(error) }
  }
}

interface Tried {
  readonly statement: Statement
  readonly principal: Principal
  readonly explained: Explained
  readonly scans: readonly Scan[]
}

/** Makes indexes on a copy of the table that is read most in vain, one after the other, and measures. */
async function tryIndexes(session: Session, tried: Tried): Promise<readonly TriedIndex[]> {
  const { client, key } = session
  const { statement, principal, explained, scans } = tried
  const worst = scans
    .filter(({ read, kept }) => (read ?? 0) > MANY_ROWS && (read ?? 0) > READ_IN_VAIN * (kept ?? 0))
    .sort((a, b) => (b.read ?? 0) - (a.read ?? 0))[0]
  const sorted = scans.find(({ read }) => (read ?? 0) > MANY_ROWS)
  const scan = worst ?? (sortColumns(explained.plan).length > 0 ? sorted : undefined)
  const [schema, table] = scan?.table.split('.') ?? []
  if (!statement.mayRun || scan === undefined || table === undefined || schema !== PATH) return []
  const candidates = candidatesFor(session.bundle, table, scan, sortColumns(explained.plan))
  await client.query('SAVEPOINT copied')
  try {
    const { rows, whole } = await copyTable(client, { table, limit: session.rows, role: ROLES.app })
    const options = { key, principal, runs: true, path: `${COPIES}, ${PATH}` }
    const time = async () => {
      const runs = [1, 2, 3].map(() => () => explain(client, statement, options))
      const results: number[] = []
      for (const run of runs) {
        const { execution, plan } = await run()
        // a statement that names the schema reads the table itself
        if (!scansOf(plan, new Set()).some(one => one.table === `${COPIES}.${table}`)) return null
        results.push(execution ?? 0)
      }
      return Math.min(...results)
    }
    const before = await time()
    if (before === null) return []
    const found: TriedIndex[] = []
    for (const columns of candidates) {
      await client.query('SAVEPOINT tried')
      await client.query(`CREATE INDEX ON ${COPIES}."${table.replaceAll('"', '""')}" (${columns})`)
      const after = (await time()) ?? before
      await client.query('ROLLBACK TO SAVEPOINT tried')
      if (before / Math.max(after, 0.001) < FASTER) continue
      const create = `CREATE INDEX CONCURRENTLY ON ${PATH}.${table} (${columns});`
      found.push({ create, before, after, rows, whole })
    }
    return found.sort((a, b) => a.after - b.after)
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT copied')
  }
}

/** Lists of columns: those that the rules compare with the principal, those of the statement, and its order. */
function candidatesFor(
  bundle: Bundle,
  table: string,
  scan: Scan,
  sort: readonly string[]
): readonly string[] {
  const owners = indexesOf(bundle)
    .filter(one => one.table === table && one.method === 'btree')
    .map(({ column }) => column)
  const equal = scan.ownTests.flatMap(test => /^(?:\w+\.)?(\w+) = /.exec(test)?.[1] ?? [])
  const ranged = scan.ownTests.flatMap(test => /^(?:\w+\.)?(\w+) [<>]=? /.exec(test)?.[1] ?? [])
  const lists = [
    equal,
    [...equal, ...sort],
    sort,
    ranged,
    ...owners.flatMap(owner => [[owner], [owner, ...equal], [owner, ...equal, ...sort], [owner, ...ranged]])
  ]
  const columns = lists.map(list => [...new Set(list)]).filter(list => list.length > 0)
  return [...new Set(columns.map(list => list.join(', ')))]
}
