import fc from 'fast-check'
import type pg from 'pg'
import t from 'tap'
import { listResources } from '../../src/db/list.js'
import type { ListQuery } from '../../src/db/list-query.js'
import { evaluate } from '../../src/ir/evaluate.js'
import type { Atom, Condition, Ordering } from '../../src/ir/formula.js'
import { type Bundle, type Resource, resourceOf } from '../../src/ir/model.js'
import type { Column, ScalarType, SetType } from '../../src/ir/types.js'
import { canonical, type Scalar, type Value } from '../../src/ir/values.js'
import { loadTexts } from '../../src/policy/load.js'
import { createDatabase } from '../support/cluster.js'
import { type Principal, policyText, principal, type Row, row } from './arbitraries.js'
import { attemptsFor } from './attempts.js'
import { asPrincipal, connections, databaseLock, referenceLock } from './locks.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const POLICIES = Number(process.env['TWINRULE_LIST_POLICIES'] ?? 12)
const PRINCIPALS = 5
const LISTS = 4
const NONE = { sql: (text: string) => text, casl: (rules: readonly never[]) => rules }

type Query = ListQuery & Required<Pick<ListQuery, 'filter' | 'sort' | 'size'>>

const scalars = ['id', 'p', 'u', 'v', 't', 'm', 'k', 'b', 'n', 'd', 'at'] as const
const sets = ['us', 'ts', 'ns', 'ms'] as const
const ordered = ['n', 'd', 'at'] as const

const someRow = row.map(one => ({ ...one, id: '10000000-0000-0000-0000-000000000003' }))
/** A value that a row could have there. */
const someValueOf = (column: (typeof scalars)[number]) => someRow.map(one => one[column])

const filter: fc.Arbitrary<Query['filter'][number]> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...scalars), fc.constantFrom('==', '!='))
    .chain(([column, op]) => someValueOf(column).map(value => ({ column, op, value }))),
  fc
    .tuple(fc.constantFrom(...ordered), fc.constantFrom('<', '<=', '>', '>='))
    .chain(([column, op]) =>
      someValueOf(column).map(value => ({ column, op, value: value ?? LEAST[column] }))
    ),
  fc
    .tuple(fc.constantFrom(...scalars), fc.constantFrom('in', 'not in'))
    .chain(([column, op]) =>
      fc
        .array(someValueOf(column), { maxLength: 3 })
        .map(values => ({ column, op, value: values.filter(value => value !== null) }))
    ),
  fc
    .constantFrom(...sets)
    .chain(column =>
      someRow.map(one => ({ column, op: 'contains', value: one[column]?.[0] ?? FIRST[column] }))
    )
)
const LEAST = { n: '0', d: '2024-02-29', at: '2001-09-09T01:46:40Z' } as const
const FIRST = { us: '00000000-0000-0000-0000-00000000000a', ts: 'a', ns: '0', ms: 'global' } as const

const query: fc.Arbitrary<Query> = fc.record({
  type: fc.constant('thing'),
  filter: fc.array(filter, { maxLength: 2 }),
  sort: fc
    .subarray([...scalars], { maxLength: 3 })
    .chain(columns =>
      fc.tuple(
        ...columns.map(column =>
          fc.constantFrom('asc' as const, 'desc' as const).map(direction => ({ column, direction }))
        )
      )
    ),
  size: fc.integer({ min: 1, max: 8 }),
  count: fc.boolean()
})

function valueIn(column: Column, one: Readonly<Record<string, unknown>>): Value {
  const known = canonical(column.type, one[column.name])
  if (!known.ok) throw new Error(known.problem)
  return known.value
}

/** A filter in the language of policies, whose meaning is defined. */
function conditionOf(resource: Resource, { column: name, op, value }: Query['filter'][number]): Condition {
  const column = resource.columns.find(one => one.name === name)
  if (column === undefined) throw new Error(name)
  const left = { kind: 'column', name, type: column.type } as const
  const atom = (one: Atom): Condition => ({ kind: 'atom', atom: one })
  const not = (of: Condition): Condition => ({ kind: 'not', of })
  const scalar = (type: ScalarType, input: unknown) =>
    valueIn({ name, type, nullable: false }, { [name]: input }) as Scalar
  if (value === null) {
    const test = atom({ kind: 'null', term: left })
    return op === '==' ? test : not(test)
  }
  if (op === 'contains') {
    const { of } = column.type as SetType
    return atom({ kind: 'in', item: { kind: 'literal', value: scalar(of, value), type: of }, set: left })
  }
  const type = column.type as ScalarType
  if (op === 'in' || op === 'not in') {
    const values = [...new Set((value as unknown[]).map(one => scalar(type, one)))]
    const test = atom({
      kind: 'in',
      item: left,
      set: { kind: 'list', values, type: { kind: 'set', of: type } }
    })
    return op === 'in' ? test : not(test)
  }
  const right = { kind: 'literal', value: scalar(type, value), type } as const
  const equal = atom({ kind: 'eq', left, right })
  if (op === '==') return equal
  return op === '!=' ? not(equal) : atom({ kind: 'order', op: op as Ordering, left, right })
}

/** Whether a row passes filters, by the reference interpreter. */
function passes(resource: Resource, one: Row, filters: Query['filter']): boolean {
  const values = Object.fromEntries(resource.columns.map(column => [column.name, valueIn(column, one)]))
  return filters.every(test => evaluate(conditionOf(resource, test), { principal: {}, row: values }) === true)
}

function compare(a: Scalar, b: Scalar): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}

/** The ids in the order of the list: NULL is larger than every value. */
function sorted(resource: Resource, rows: readonly Row[], sort: Query['sort']): readonly string[] {
  const last = sort.at(-1)?.direction ?? 'asc'
  const keys = [...sort, { column: 'id', direction: last }].map(({ column: name, direction = 'asc' }) => {
    const column = resource.columns.find(one => one.name === name) as Column
    return { column, sign: direction === 'desc' ? -1 : 1 }
  })
  return [...rows]
    .sort((a, b) => {
      for (const { column, sign } of keys) {
        const [x, y] = [valueIn(column, a), valueIn(column, b)] as (Scalar | null)[]
        if (x === y) continue
        if (x === null || x === undefined) return sign
        if (y === null || y === undefined) return -sign
        const order = compare(x, y)
        if (order !== 0) return sign * order
      }
      return 0
    })
    .map(({ id }) => id)
}

/** All pages of a list, one after the other. */
async function everyPage(
  app: pg.Client,
  bundle: Bundle,
  asked: { readonly query: Query; readonly who: Principal },
  between: () => Promise<void> = async () => {}
): Promise<{ readonly ids: readonly string[]; readonly counts: readonly (number | undefined)[] }> {
  const ids: string[] = []
  const counts: (number | undefined)[] = []
  const options = asked.who.is_platform_admin === true ? { entered: 'is_platform_admin' } : {}
  let cursor: string | null = null
  do {
    const page = await listResources(
      app,
      bundle,
      { ...asked.query, ...(cursor === null ? {} : { cursor }) },
      options
    )
    ids.push(...page.rows.map(one => String(one['id'])))
    counts.push(page.count)
    cursor = page.cursor
    if (page.rows.length > asked.query.size) throw new Error('a page of more rows')
    if (cursor !== null) await between()
  } while (cursor !== null)
  return { ids, counts }
}

/** What somebody else does between two pages: a row goes, and it comes back as another, or another one comes. */
function changes(admin: pg.Client, rows: readonly Row[], others: readonly Row[]): () => Promise<void> {
  let step = 0
  return async () => {
    const [old, next] = [rows[step % rows.length], others[step]]
    step++
    if (old === undefined || next === undefined) return
    await admin.query('DELETE FROM public.things WHERE id = $1', [old.id])
    await admin.query(
      'INSERT INTO public.things SELECT * FROM jsonb_populate_record(NULL::public.things, $1::jsonb)',
      [JSON.stringify(step % 2 === 0 ? { ...next, id: old.id } : next)]
    )
  }
}

for (const postgres of ['usual', 'registry'] as const) {
  t.test(`lists are the rows that may be read, page by page (${postgres} PostgreSQL)`, async t => {
    const { admin, app } = await connections(await createDatabase(t, postgres))
    t.teardown(() => Promise.all([admin.end(), app.end()]))
    const { rows: version } = await app.query<{ server_version: string }>('SHOW server_version')
    t.comment(`seed ${SEED} (repeat with TWINRULE_SEED=${SEED}), PostgreSQL ${version[0]?.server_version}`)
    let [lists, listed, several] = [0, 0, 0]
    for (let n = 0; n < POLICIES; n++) {
      const seed = SEED + n
      const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
      const { bundle } = loadTexts({ 'random.yaml': text })
      if (bundle === null) continue
      const resource = resourceOf(bundle, 'thing') as Resource
      const attempts = attemptsFor(seed)
      await databaseLock(bundle, NONE, admin, attempts)
      const lock = referenceLock(bundle)
      for (const [i, who] of fc.sample(principal, { seed, numRuns: PRINCIPALS }).entries()) {
        for (const asked of fc.sample(query, { seed: seed * 31 + i, numRuns: LISTS })) {
          const { got, expected } = await asPrincipal(app, who, async now => {
            const ask = lock(who, attempts, now)
            const visible = attempts.rows.filter(
              one => ask.gate('read', one) && passes(resource, one, asked.filter)
            )
            return {
              got: await everyPage(app, bundle, { query: asked, who }),
              expected: sorted(resource, visible, asked.sort)
            }
          })
          const about = () => `seed ${seed}\n${text}\n${JSON.stringify({ who, asked })}`
          if (JSON.stringify(got.ids) !== JSON.stringify(expected)) {
            t.strictSame(got.ids, expected, about())
            return
          }
          const counted = asked.count === true ? expected.length : undefined
          if (got.counts.some(one => one !== counted)) {
            t.strictSame(got.counts, [counted], about())
            return
          }
          lists++
          listed += expected.length
          if (got.counts.length > 1) several++
        }
      }
    }
    t.ok(lists > POLICIES, `${lists} lists, ${several} of several pages, ${listed} rows`)
    t.ok(several > lists / 20, 'of several pages')
  })

  t.test(`nothing that is there throughout is missed while rows change (${postgres})`, async t => {
    const { admin, app } = await connections(await createDatabase(t, postgres))
    t.teardown(() => Promise.all([admin.end(), app.end()]))
    let compared = 0
    for (let n = 0; n < POLICIES; n++) {
      const seed = SEED + 1_000_000 + n
      const [text = ''] = fc.sample(policyText, { seed, numRuns: 1 })
      const { bundle } = loadTexts({ 'random.yaml': text })
      if (bundle === null) continue
      const resource = resourceOf(bundle, 'thing') as Resource
      const attempts = attemptsFor(seed)
      const lock = referenceLock(bundle)
      // every third row is changed or goes, and others come
      const moving = attempts.rows.filter((_, i) => i % 3 === 0)
      const still = attempts.rows.filter((_, i) => i % 3 !== 0)
      for (const [i, who] of fc.sample(principal, { seed, numRuns: PRINCIPALS }).entries()) {
        const [asked] = fc.sample(query, { seed: seed * 31 + i, numRuns: 1 })
        if (asked === undefined) continue
        await databaseLock(bundle, NONE, admin, attempts)
        const { got, expected } = await asPrincipal(app, who, async now => {
          const ask = lock(who, attempts, now)
          const visible = still.filter(one => ask.gate('read', one) && passes(resource, one, asked.filter))
          return {
            got: await everyPage(
              app,
              bundle,
              { query: { ...asked, size: 1 + (n % 3) }, who },
              changes(admin, moving, attempts.inserts)
            ),
            expected: sorted(resource, visible, asked.sort)
          }
        })
        const seen = new Set(expected)
        const ids = got.ids.filter(id => seen.has(id))
        if (JSON.stringify(ids) !== JSON.stringify(expected)) {
          t.strictSame(ids, expected, `seed ${seed}\n${text}\n${JSON.stringify({ who, asked })}`)
          return
        }
        compared += expected.length
      }
    }
    t.ok(compared > 0, `${compared} rows were there throughout`)
  })
}
