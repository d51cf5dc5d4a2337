import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { planList } from '../../src/db/list.js'
import { cursorOf, placeOf } from '../../src/db/list-cursor.js'
import type { ListQuery } from '../../src/db/list-query.js'
import type { RequestError } from '../../src/errors/errors.js'
import { loadTexts } from '../../src/policy/load.js'

const ROOT = join(import.meta.dirname, '..', '..')
const { bundle } = loadTexts({
  'platform.yaml': readFileSync(join(ROOT, 'policies', 'platform.yaml'), 'utf8')
})
if (bundle === null) throw new Error('the policy does not load')

const A = '00000000-0000-0000-0000-00000000000a'

t.test('what is no list is refused, with what was meant', t => {
  const refused: readonly (readonly [Partial<ListQuery>, string | RegExp, string | RegExp])[] = [
    [{ type: 'agnet' }, 'there is no resource type agnet', 'did you mean `agent`?'],
    [{ sort: [{ column: 'nmae' }] }, 'agent declares no column nmae', 'did you mean `name`?'],
    [{ sort: [{ column: 'shared_with' }] }, 'agent.shared_with is a set, which has no order', ''],
    [{ sort: [{ column: 'name' }, { column: 'name' }] }, 'a column stands twice in sort', ''],
    [{ sort: [{ column: 'name', direction: 'up' as 'asc' }] }, 'a direction is asc or desc, not up', ''],
    [{ size: 0 }, 'size must be a whole number from 1 to 1000', ''],
    [{ size: 1001 }, 'size must be a whole number from 1 to 1000', ''],
    [filter('tenant', '==', A), 'agent declares no column tenant', 'did you mean `tenant_id`?'],
    [filter('name', '=', 'x'), 'there is no operator =', /`(?:==|!=|<=|>=)`|the operators: /],
    [filter('name', '<', 'x'), 'agent.name is text, which < does not compare', /have an order/],
    [filter('shared_with', '==', [A]), 'agent.shared_with is a set', 'a set is asked by `contains`'],
    [filter('tenant_id', 'contains', A), 'agent.tenant_id is no set', ''],
    [filter('tenant_id', '==', 'acme'), /agent\.tenant_id: == expected uuid/, ''],
    [
      filter('sharing_mode', '==', 'globl'),
      /agent\.sharing_mode: == expected sharing_mode/,
      /private, global/
    ],
    [filter('tenant_id', 'in', A), 'agent.tenant_id: in takes a list', ''],
    [filter('tenant_id', 'in', [A, null]), 'agent.tenant_id: in takes no null', ''],
    [filter('shared_with', 'contains', null), 'agent.shared_with: contains takes no null', ''],
    [{ filter: Array(17).fill(filter('name', '==', 'x').filter?.[0]) }, /at most 16 filters/, '']
  ]
  for (const [query, message, hint] of refused) {
    try {
      planList(bundle, { type: 'agent', ...query })
      t.fail(`${String(message)} was not refused`)
    } catch (error) {
      const { message: said, hint: hinted = '' } = error as RequestError
      t.match(error, { code: 'TWR_REQUEST_LIST', statusCode: 400 }, said)
      t.match(said, message)
      t.match(hinted, hint)
    }
  }
  t.throws(() => planList(bundle, { type: 'agent' }, { entered: 'is_auditor' }), { code: 'TWR_CONFIG' })
  t.end()
})

function filter(column: string, op: string, value: unknown): Pick<ListQuery, 'filter'> {
  return { filter: [{ column, op, value }] }
}

t.test('a cursor is one of its own list, as it was given', t => {
  const query: ListQuery = { type: 'agent', sort: [{ column: 'name', direction: 'desc' }], size: 1 }
  const row = (n: number) => {
    const one = { id: `00000000-0000-0000-0002-00000000000${n}`, name: `agent ${n}`, tenant_id: A }
    return bundle.resources
      .find(({ name }) => name === 'agent')
      ?.columns.map(({ name }) => (one as Record<string, unknown>)[name] ?? null)
  }
  const { cursor, rows } = planList(bundle, query).page([row(2) ?? [], row(1) ?? []])
  t.equal(rows.length, 1)
  if (cursor === null) throw new Error('no cursor')
  t.strictSame(planList(bundle, { ...query, cursor }).statement?.values, [
    'agent 2',
    '00000000-0000-0000-0002-000000000002'
  ])
  t.ok(planList(bundle, { ...query, cursor, size: 7, count: true }), 'the size may change')
  const bytes = Buffer.from(cursor, 'base64url')
  const changed = [
    ...[...bytes.keys()].map(i =>
      Buffer.from(bytes.map((byte, at) => (at === i ? byte ^ 1 : byte))).toString('base64url')
    ),
    `${cursor}A`,
    `${cursor}=`,
    ` ${cursor}`,
    cursor.slice(0, -1),
    'x',
    ''
  ]
  for (const one of changed) {
    t.throws(
      () => planList(bundle, { ...query, cursor: one }),
      { code: 'TWR_REQUEST_CURSOR', statusCode: 400 },
      one
    )
  }
  for (const other of [
    { ...query, type: 'prompt' },
    { ...query, sort: [{ column: 'name' }] },
    { ...query, ...filter('is_shared', '==', true) }
  ]) {
    t.throws(() => planList(bundle, { ...other, cursor }), { code: 'TWR_REQUEST_CURSOR' })
  }
  t.throws(
    () => placeOf('list', cursorOf('list', ['a']), 2),
    { code: 'TWR_REQUEST_CURSOR' },
    'of another order'
  )
  t.end()
})

t.test('few statements: values are parameters, and the name of a statement is that of its text', t => {
  const plan = (query: Omit<ListQuery, 'type'>) => planList(bundle, { type: 'agent', ...query }).statement
  const one = plan(filter('tenant_id', '==', A))
  const other = plan(filter('tenant_id', '==', '00000000-0000-0000-0000-00000000000b'))
  t.equal(one?.text, other?.text)
  t.equal(one?.name, other?.name)
  t.notOk(one?.text.includes(A))
  t.not(plan({ size: 7 })?.name, one?.name)
  t.equal(planList(bundle, { type: 'agent' }, { prepared: false }).statement?.name, undefined)
  const hostile = `x'; DROP TABLE agents; --`
  t.notOk(plan(filter('name', '==', hostile))?.text.includes('DROP'))
  t.end()
})
