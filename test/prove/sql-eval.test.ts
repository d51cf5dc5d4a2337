import t from 'tap'
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
