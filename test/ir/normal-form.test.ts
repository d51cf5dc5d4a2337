import t from 'tap'
import { gateForm } from '../../src/ir/gates.js'
import { resourceOf } from '../../src/ir/model.js'
import { and, keyOf, literal, type Nnf, or } from '../../src/ir/normal-form.js'
import { exampleBundle } from '../support/example.js'

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name =>
  literal({ kind: 'null', term: { kind: 'column', name, type: { kind: 'uuid' } } }, false)
) as [Nnf, Nnf, Nnf, Nnf]

t.test('what the other parts say together is not said again', async t => {
  t.equal(keyOf(and([or([c, and([a, b])]), a, b])), keyOf(and([a, b])), 'one arm of an OR is there in pieces')
  t.equal(
    keyOf(and([or([and([c, a]), and([a, b])]), a, b])),
    keyOf(and([a, b])),
    'also if each arm says a part of it'
  )
  t.equal(keyOf(and([or([a, b]), or([a, b, c])])), keyOf(or([a, b])))
  t.equal(keyOf(or([a, and([a, b])])), keyOf(a))
  t.equal(keyOf(or([and([a, or([b, c])]), and([a, b])])), keyOf(and([a, or([b, c])])))
})

t.test('what only looks alike stays', async t => {
  const kept = and([or([c, and([a, b])]), a])
  t.equal(keyOf(kept), keyOf({ kind: 'and', of: kept.kind === 'and' ? kept.of : [] }))
  t.match(kept, { kind: 'and', of: { length: 2 } })
  t.match(or([and([a, b]), and([c, d])]), { kind: 'or', of: { length: 2 } })
  t.equal(keyOf(and([or([a, b]), or([b, a])])), keyOf(or([a, b])), 'of two that mean the same one stays')
})

t.test('a rule for updating that says more than one for reading is all there is to update', async t => {
  const agent = resourceOf(await exampleBundle(), 'agent')
  if (agent === undefined) throw new Error('no agent')
  const form = gateForm(
    { ...agent, rules: agent.rules.filter(({ id }) => id !== 'platform-admin') },
    'update'
  )
  t.equal(
    keyOf(form),
    '(principal.id != null && resource.deleted_at == null && resource.tenant_id == principal.tenant_id)'
  )
})
