import fc from 'fast-check'
import type pg from 'pg'
import t from 'tap'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase, type Postgres } from '../support/cluster.js'
import { PARENTS, policyText, principal, type Row } from './arbitraries.js'
import { attemptsFor } from './attempts.js'
import {
  type Ask,
  type Attempts,
  asPrincipal,
  connections,
  databaseLock,
  type Mutation,
  referenceLock
} from './locks.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const NONE: Mutation = { sql: text => text, casl: rules => rules }
const PRINCIPALS = 4

/** Runs statements one by one, each undone: how many rows it reached, -1 where the policies or grants refused it. */
const TRY = `CREATE FUNCTION public.try(statements text[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE statement text; results int[] := '{}'; n int;
BEGIN
  FOREACH statement IN ARRAY statements LOOP
    BEGIN
      EXECUTE statement;
      GET DIAGNOSTICS n = ROW_COUNT;
      RAISE EXCEPTION 'undo' USING ERRCODE = 'UNDO1';
    EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL; WHEN insufficient_privilege THEN n := -1;
    END;
    results := results || n;
  END LOOP;
  RETURN results;
END $$`

/** A statement, and the answers that fit to what the rules say. */
interface Attempt {
  readonly path: string
  readonly statement: string
  /** The rows that it must reach; null when it must be refused, or reach none. */
  readonly reaches: number | null
  /** A privilege that PostgreSQL asks for although the rules need none: one column's, or that of any column. */
  readonly needs?: 'SELECT' | 'UPDATE' | `UPDATE ${keyof Row}`
}

type Known = Ask & { parent(id: string): boolean }

const record = (row: Row) =>
  `jsonb_populate_record(NULL::public.things, '${JSON.stringify(row).replaceAll("'", "''")}')`

function changedNames(old: Row, next: Row): readonly (keyof Row)[] {
  return (Object.keys(next) as (keyof Row)[]).filter(
    name => JSON.stringify(old[name]) !== JSON.stringify(next[name])
  )
}

const one = (allowed: boolean): number | null => (allowed ? 1 : null)

/** Each way to write a new row. */
function inserts({ inserts, rows }: Attempts, ask: Known): readonly Attempt[] {
  const [there] = rows
  return inserts.flatMap((row): readonly Attempt[] => {
    const insert = `INSERT INTO public.things SELECT * FROM ${record(row)}`
    const created = ask.gate('create', row)
    // PostgreSQL shows a row that is returned or looked up to the policy for reading
    const shown = created && ask.gate('read', row)
    const merge = `MERGE INTO public.things AS o USING ${record(row)} AS x ON o.id = x.id
      WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.p, x.u, x.v, x.t, x.m, x.k, x.b, x.n, x.d, x.at, x.us, x.ts, x.ns, x.ms)`
    const taken = there === undefined ? row : { ...row, id: there.id }
    return [
      { path: 'INSERT', statement: insert, reaches: one(created) },
      { path: 'INSERT RETURNING', statement: `${insert} RETURNING id`, reaches: one(shown) },
      {
        path: 'ON CONFLICT DO NOTHING',
        statement: `${insert} ON CONFLICT DO NOTHING`,
        reaches: one(created)
      },
      {
        path: 'ON CONFLICT DO NOTHING, of a row that is there',
        statement: `INSERT INTO public.things SELECT * FROM ${record(taken)} ON CONFLICT DO NOTHING`,
        reaches: null
      },
      { path: 'MERGE INSERT', statement: merge, reaches: one(created), needs: 'SELECT' }
    ]
  })
}

/** Each way to write one row that is there. */
function updates({ updates }: Attempts, ask: Known): readonly Attempt[] {
  return updates.flatMap(({ old, next }): readonly Attempt[] => {
    const names = changedNames(old, next)
    if (names.length === 0) return []
    const set = names.map(name => `${name} = x.${name}`).join(', ')
    const allowed = ask.gate('update', old) && ask.gate('update_new', next) && ask.columns(old, next)
    const from = `UPDATE public.things AS o SET ${set} FROM ${record(next)} AS x WHERE o.id = x.id`
    const upsert = `INSERT INTO public.things SELECT * FROM ${record(next)} ON CONFLICT (id) DO UPDATE SET ${names.map(name => `${name} = excluded.${name}`).join(', ')}`
    const merge = `MERGE INTO public.things AS o USING ${record(next)} AS x ON o.id = x.id WHEN MATCHED THEN UPDATE SET ${set}`
    return [
      { path: 'UPDATE FROM', statement: from, reaches: one(allowed) },
      { path: 'UPDATE RETURNING', statement: `${from} RETURNING o.id`, reaches: one(allowed) },
      { path: 'MERGE UPDATE', statement: merge, reaches: one(allowed) },
      // an upsert is a create first
      { path: 'ON CONFLICT DO UPDATE', statement: upsert, reaches: one(allowed && ask.gate('create', next)) }
    ]
  })
}

/** Statements about all rows, and those that only look. */
function whole({ rows }: Attempts, ask: Known): readonly Attempt[] {
  const count = (is: (row: Row) => boolean) => rows.filter(is).length
  const some = (n: number): number | null => (n > 0 ? n : null)
  const updatable = rows.filter(row => ask.gate('update', row))
  const values = { t: 'changed', b: false } as const
  const changes = (['t', 'b'] as const).map((name): Attempt => {
    const value = values[name]
    const next = updatable.map(row => ({ ...row, [name]: value }))
    const allowed = next.every(
      (row, i) => ask.gate('update_new', row) && ask.columns(updatable[i] as Row, row)
    )
    return {
      path: 'UPDATE without WHERE',
      statement: `UPDATE public.things SET ${name} = '${value}'`,
      reaches: allowed ? some(updatable.length) : null,
      needs: `UPDATE ${name}`
    }
  })
  const deletable = count(row => ask.gate('delete', row))
  const visible = PARENTS.filter(id => ask.parent(id))
  const beside = count(row => ask.gate('delete', row) && visible.includes(row.p ?? ''))
  return [
    ...changes,
    { path: 'DELETE without WHERE', statement: 'DELETE FROM public.things', reaches: some(deletable) },
    {
      path: 'DELETE RETURNING',
      statement: 'DELETE FROM public.things RETURNING id',
      reaches: some(deletable)
    },
    {
      path: 'DELETE USING a table under its own policies',
      statement: 'DELETE FROM public.things AS o USING public.parents AS p WHERE p.id = o.p',
      reaches: some(beside)
    },
    ...rows.flatMap((row): readonly Attempt[] => {
      const found = `SELECT FROM public.things WHERE id = '${row.id}'`
      const locked = one(ask.gate('update', row))
      return [
        { path: 'SELECT FOR UPDATE', statement: `${found} FOR UPDATE`, reaches: locked, needs: 'UPDATE' },
        { path: 'SELECT FOR SHARE', statement: `${found} FOR SHARE`, reaches: locked, needs: 'UPDATE' },
        {
          path: 'MERGE DELETE',
          statement: `MERGE INTO public.things AS o USING (SELECT '${row.id}'::uuid AS id) AS x ON o.id = x.id WHEN MATCHED THEN DELETE`,
          reaches: one(ask.gate('delete', row))
        }
      ]
    })
  ]
}

/** So many kinds of statement are allowed somewhere, or the comparison says little. */
const KINDS = 13

interface Outcome {
  readonly compared: number
  /** How many were allowed, by path. */
  readonly allowed: ReadonlyMap<string, number>
  readonly mismatch: string | null
}

async function isGranted(app: pg.Client, needs: string): Promise<boolean> {
  const [privilege, column] = needs.split(' ')
  const asked =
    column === undefined
      ? `SELECT has_any_column_privilege('public.things', '${privilege}') AS granted`
      : `SELECT has_column_privilege('public.things', '${column}', '${privilege}') AS granted`
  return (await app.query<{ granted: boolean }>(asked)).rows[0]?.granted === true
}

async function compare(
  { admin, app }: { readonly admin: pg.Client; readonly app: pg.Client },
  policies: number,
  mutation: Mutation
): Promise<Outcome> {
  const allowed = new Map<string, number>()
  let compared = 0
  // a few random policies may allow nothing of some kind, so then there are more
  for (let n = 0, done = 0; done < policies || (allowed.size < KINDS && done < policies * 10); n++) {
    const seed = SEED + n
    const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
    const { bundle } = loadTexts({ 'random.yaml': text })
    if (bundle === null) continue
    done++
    const all = attemptsFor(seed)
    const few = { ...all, updates: all.updates.filter((_, i) => i % 3 === 0) }
    const reference = referenceLock(bundle)
    await databaseLock(bundle, mutation, admin, few)
    for (const who of fc.sample(principal, { seed, numRuns: PRINCIPALS })) {
      const mismatch = await asPrincipal(app, who, async now => {
        const ask = reference(who, few, now)
        const attempts = [...inserts(few, ask), ...updates(few, ask), ...whole(few, ask)]
        const { rows } = await app.query<{ results: number[] }>('SELECT public.try($1) AS results', [
          attempts.map(({ statement }) => statement)
        ])
        compared += attempts.length
        for (const [i, { path, statement, reaches, needs }] of attempts.entries()) {
          const got = rows[0]?.results[i] ?? 0
          if (reaches !== null) allowed.set(path, (allowed.get(path) ?? 0) + 1)
          if (reaches === null ? got <= 0 : got === reaches) continue
          // What the rules allow to nobody is not granted, and PostgreSQL then refuses a lock, a new value that is
          // the old one, or a look at the key. The other paths show that no more than this is withheld.
          if (needs !== undefined && got === -1 && !(await isGranted(app, needs))) continue
          return `seed ${seed}: ${path} reached ${got}, the rules say ${reaches}\n${statement}\n${text}\n${JSON.stringify(who)}`
        }
        return null
      })
      if (mismatch !== null) return { compared, allowed, mismatch }
    }
  }
  return { compared, allowed, mismatch: null }
}

for (const [postgres, policies] of [
  ['usual', 16],
  ['registry', 6]
] as const satisfies readonly (readonly [Postgres, number])[]) {
  t.test(`whatever statement writes, PostgreSQL does what the rules say, ${postgres} server`, async t => {
    const locks = await connections(await createDatabase(t, postgres))
    t.teardown(() => Promise.all([locks.admin.end(), locks.app.end()]))
    await locks.admin.query(TRY)
    const { compared, allowed, mismatch } = await compare(locks, policies, NONE)
    t.equal(mismatch, null, `seed ${SEED}`)
    t.comment(`${compared} statements, allowed: ${JSON.stringify(Object.fromEntries(allowed))}`)
    t.ok(
      compared > policies * 500 && allowed.size >= KINDS,
      `${compared} statements of ${allowed.size} kinds`
    )
    if (postgres !== 'usual') return
    const broken: Mutation = {
      ...NONE,
      sql: text => text.replaceAll(/WITH CHECK \([\s\S]*?\n {2}\)/g, 'WITH CHECK (true)')
    }
    t.not((await compare(locks, policies, broken)).mismatch, null, 'without WITH CHECK it is noticed')
  })
}
