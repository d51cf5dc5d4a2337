import t from 'tap'
import type { Related, Values } from '../../src/ir/evaluate.js'
import type { Relation } from '../../src/ir/formula.js'
import type { Scalar, Value } from '../../src/ir/values.js'
import { sqlTruth } from '../../src/prove/sql-eval.js'
import type { SqlArray, SqlExpression, SqlOperand } from '../../src/prove/sql-expression.js'
import { createDatabase } from '../support/cluster.js'
import { printExpression } from './print-security.js'

const INT = { kind: 'int' } as const
const a: SqlOperand = { kind: 'column', name: 'a', type: INT }
const b: SqlOperand = { kind: 'column', name: 'b', type: INT }
const one: SqlOperand = { kind: 'literal', value: 1, type: INT }
const set: SqlArray = { kind: 'set', of: { kind: 'column', name: 's', type: { kind: 'set', of: INT } } }
const p: SqlExpression = { kind: 'bool', of: { kind: 'column', name: 'p', type: { kind: 'bool' } } }
const q: SqlExpression = { kind: 'bool', of: { kind: 'column', name: 'q', type: { kind: 'bool' } } }

const OPERATORS = ['=', '<>', '<', '<=', '>', '>='] as const
const EXPRESSIONS: readonly SqlExpression[] = [
  { kind: 'const', value: true },
  { kind: 'and', of: [p, q] },
  { kind: 'or', of: [p, q] },
  { kind: 'not', of: p },
  { kind: 'not true', of: p },
  { kind: 'not', of: { kind: 'not true', of: q } },
  { kind: 'null', of: a, negated: false },
  { kind: 'null', of: a, negated: true },
  ...OPERATORS.map(operator => ({ kind: 'compare', operator, left: a, right: b }) as const),
  ...OPERATORS.flatMap(operator => [
    { kind: 'any', operator, item: a, array: set } as const,
    { kind: 'all', operator, item: a, array: set } as const
  ]),
  { kind: 'contains', array: set, items: { kind: 'array', of: [a] } },
  { kind: 'contains', array: set, items: { kind: 'array', of: [a, b, one] } },
  { kind: 'contains', array: { kind: 'array', of: [a, b] }, items: set }
]

const INTS = [null, 1, 2] as const
const BOOLS = [null, true, false] as const
const SETS: readonly Value[] = [null, [], [null], [1], [2], [1, 2], [1, null], [1, 2, null]]

t.test(
  'every construct has the truth that PostgreSQL gives it, for every mix of values and NULLs',
  async t => {
    const database = await createDatabase(t)
    const client = await database.client()
    t.teardown(() => client.end())
    const rows = INTS.flatMap(a =>
      INTS.flatMap(b => BOOLS.flatMap(p => BOOLS.flatMap(q => SETS.map(s => ({ a, b, p, q, s })))))
    )
    await client.query('CREATE TABLE cases (n int, a bigint, b bigint, p boolean, q boolean, s bigint[])')
    await client.query('INSERT INTO cases SELECT * FROM jsonb_populate_recordset(NULL::cases, $1::jsonb)', [
      JSON.stringify(rows.map((row, n) => ({ n, ...row })))
    ])
    for (const expression of EXPRESSIONS) {
      const text = printExpression(expression)
      const { rows: truths } = await client.query<{ truth: boolean | null }>(
        `SELECT (${text}) AS truth FROM cases ORDER BY n`
      )
      const truth = sqlTruth(expression)
      const wrong = rows.findIndex(
        (row, n) => truth({}, row as Record<string, Scalar>, null) !== truths[n]?.truth
      )
      t.equal(wrong, -1, `${text}${wrong < 0 ? '' : ` for ${JSON.stringify(rows[wrong])}`}`)
    }
  }
)

const RELATION: Relation = {
  name: 'parts',
  cardinality: 'many',
  table: 'parts',
  local: 'n',
  remote: 'of',
  columns: [
    { name: 'of', type: INT, nullable: false },
    { name: 'x', type: INT, nullable: true },
    { name: 'y', type: { kind: 'bool' }, nullable: true },
    { name: 'z', type: { kind: 'set', of: INT }, nullable: true }
  ],
  readable: null
}
const related = (name: string): SqlOperand => {
  const type = RELATION.columns.find(one => one.name === name)?.type ?? INT
  return { kind: 'related', name, type, relation: RELATION }
}
const x = related('x')
const y: SqlExpression = { kind: 'bool', of: related('y') }
const inside: readonly SqlExpression[] = [
  { kind: 'const', value: true },
  { kind: 'const', value: false },
  y,
  { kind: 'not', of: y },
  { kind: 'not true', of: y },
  { kind: 'and', of: [y, p] },
  { kind: 'or', of: [{ kind: 'not', of: y }, q] },
  { kind: 'null', of: x, negated: false },
  { kind: 'compare', operator: '<>', left: x, right: one },
  { kind: 'compare', operator: '>=', left: x, right: one },
  { kind: 'contains', array: { kind: 'set', of: related('z') }, items: { kind: 'array', of: [x] } },
  { kind: 'all', operator: '<>', item: one, array: { kind: 'set', of: related('z') } }
]
const OVER_RELATED: readonly SqlExpression[] = inside.flatMap((of): readonly SqlExpression[] => {
  const exists = { kind: 'exists', relation: RELATION, of } as const
  return [
    exists,
    { kind: 'not', of: exists },
    { kind: 'and', of: [p, exists] },
    { kind: 'or', of: [q, { kind: 'not', of: exists }] },
    { kind: 'not true', of: exists }
  ]
})

/** Every row with none, one or two related rows. */
function withRelated(): readonly Values[] {
  const one = INTS.flatMap(x => BOOLS.flatMap(y => [null, [], [1], [2, null]].map(z => ({ x, y, z }))))
  const pairs = one.flatMap((a, i) => one.slice(i + 1).flatMap((b, j) => ((i + j) % 5 === 0 ? [[a, b]] : [])))
  const lists: readonly (readonly object[])[] = [[], ...one.map(row => [row]), ...pairs]
  return lists.map((list, n) => ({
    n,
    p: BOOLS[n % 3] ?? null,
    q: BOOLS[(n >> 2) % 3] ?? null,
    parts: list.map(row => ({ of: n, ...row })) as readonly Related[]
  }))
}

t.test('EXISTS has the truth that PostgreSQL gives it, whatever rows are related', async t => {
  const database = await createDatabase(t)
  const client = await database.client()
  t.teardown(() => client.end())
  const rows = withRelated()
  await client.query('CREATE TABLE cases (n bigint, p boolean, q boolean)')
  await client.query('CREATE TABLE parts (of bigint, x bigint, y boolean, z bigint[])')
  const fill = (table: string, content: readonly unknown[]) =>
    client.query(`INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`, [
      JSON.stringify(content)
    ])
  await fill('cases', rows)
  // rows of no other row, and of a NULL key, are there too
  const strays = [null, -1].map(of => ({ of, x: 1, y: true, z: [1] }))
  await fill('parts', [...strays, ...rows.flatMap(({ parts }) => parts as readonly Related[])])
  for (const expression of OVER_RELATED) {
    const text = printExpression(expression, { table: 'cases', inside: false })
    const { rows: truths } = await client.query<{ truth: boolean | null }>(
      `SELECT (${text}) AS truth FROM cases ORDER BY n`
    )
    const truth = sqlTruth(expression)
    const wrong = rows.findIndex((row, n) => truth({}, row, null) !== truths[n]?.truth)
    t.equal(wrong, -1, `${text}${wrong < 0 ? '' : ` for ${JSON.stringify(rows[wrong])}`}`)
  }
})
