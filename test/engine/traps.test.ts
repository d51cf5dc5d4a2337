import { createMongoAbility } from '@casl/ability'
import t from 'tap'
import { createEngine } from '../../src/engine/engine.js'
import { loadTexts } from '../../src/policy/load.js'

// Where stock CASL and SQL disagree, one case each: what a hand-made ability says, and what ours says instead.

const ID = '00000000-0000-0000-0000-000000000001'
const HEAD = `version: 1
enums: { mode: [private, global] }
principal: { id: uuid, tenant_id: uuid, tenant_role: text, roles: set<text> }
resources:
  doc:
    columns: { t: text, m: mode, u: uuid, n: int, at: timestamptz, b: bool, ts: set<text>, us: set<uuid> }
    rules:
      r: `

interface Asked {
  readonly rule: string
  readonly row?: object
  readonly principal?: object
}

function ours({ rule, row = {}, principal = {} }: Asked): string {
  const { bundle, problems } = loadTexts({ 'p.yaml': `${HEAD}${rule}\n` })
  if (bundle === null) return problems.map(({ code }) => code).join(' ')
  return createEngine(bundle, { clock: () => Date.UTC(2026, 0, 1) * 1000 }).decide({
    subject: { type: 'user', id: ID, properties: { ...principal } },
    action: { name: 'read' },
    resource: { type: 'doc', id: ID, properties: { ...row } }
  }).context.code
}

const when = (condition: string): string => `{ allow: [read], when: '${condition}' }`

/** What somebody gets who writes the rule by hand for `createMongoAbility`. */
function byHand(conditions: object | undefined, row: object, inverted = false): boolean {
  const allow = { action: 'read', subject: 'doc' }
  const rules = inverted ? [allow, { ...allow, inverted: true, conditions }] : [{ ...allow, conditions }]
  const ability = createMongoAbility(rules as Parameters<typeof createMongoAbility>[0], {
    detectSubjectType: () => 'doc'
  })
  return ability.can('read', row as never)
}

t.test('null is different from nothing and in no set', async t => {
  t.ok(byHand({ t: { $ne: 'x' } }, { t: null }), 'CASL: null is different')
  t.equal(ours({ rule: when('resource.t != "x"'), row: { t: null } }), 'no_rule')
  t.ok(byHand({ t: { $nin: ['x'] } }, { t: null }))
  t.equal(ours({ rule: when('resource.t not in ["x", "y"]'), row: { t: null } }), 'no_rule')
  t.equal(ours({ rule: when('"x" not in resource.ts'), row: { ts: ['y', null] } }), 'no_rule')
  t.equal(ours({ rule: when('"x" not in resource.ts'), row: { ts: null } }), 'no_rule')
  t.equal(
    ours({
      rule: when('resource.t not in principal.roles'),
      principal: { roles: ['a', null] },
      row: { t: 'x' }
    }),
    'no_rule'
  )
})

t.test('an attribute of the principal that is not there equals nothing', async t => {
  t.ok(byHand({ t: null }, {}), 'CASL: undefined is null')
  t.equal(ours({ rule: when('resource.u == principal.tenant_id') }), 'no_rule')
  t.equal(ours({ rule: when('resource.u != principal.tenant_id'), row: { u: ID } }), 'no_rule')
  t.equal(ours({ rule: when('principal.tenant_id not in resource.us'), row: { us: [] } }), 'no_rule')
})

t.test('null is not 0', async t => {
  t.ok(byHand({ n: { $lt: 5 } }, { n: null }), 'CASL: null is less')
  t.ok(byHand({ n: { $gt: -1 } }, { n: null }), 'CASL: null is more')
  for (const op of ['<', '<=', '>', '>=']) {
    t.equal(ours({ rule: when(`resource.n ${op} 5`), row: { n: null } }), 'no_rule', op)
    t.equal(ours({ rule: when(`resource.at ${op} now`), row: { at: null } }), 'no_rule', op)
  }
})

t.test('values are of their type or nothing is allowed', async t => {
  t.ok(byHand({ u: ID }, { u: [ID, 'other'] }), 'CASL: a list that holds it equals it')
  t.equal(ours({ rule: when('resource.u == principal.id'), row: { u: [ID, ID] } }), 'invalid_attribute')
  t.ok(byHand({ t: { $ne: null } }, { t: 'secret' }), 'CASL: an operator as a value')
  t.equal(
    ours({
      rule: when('resource.t == principal.tenant_role'),
      principal: { tenant_role: { $ne: null } },
      row: { t: 'x' }
    }),
    'invalid_attribute'
  )
  t.equal(ours({ rule: when('resource.ts == null'), row: {} }), 'TWR_POLICY_NULL')
  t.equal(
    ours({ rule: when('"x" in resource.ts'), row: { ts: '{x,y}' } }),
    'invalid_attribute',
    'an array as text'
  )
  t.equal(
    ours({ rule: when('"x" in resource.ts'), row: { ts: [['x']] } }),
    'invalid_attribute',
    'two dimensions'
  )
  t.equal(ours({ rule: when('resource.b'), row: { b: 'false' } }), 'invalid_attribute')
  t.equal(ours({ rule: when('resource.b'), row: { b: 1 } }), 'invalid_attribute')
})

t.test('uuids compare without case, whole numbers and times exactly', async t => {
  const upper = 'AAAAAAAA-0000-0000-0000-00000000000A'
  t.equal(
    ours({
      rule: when('resource.u == principal.tenant_id'),
      row: { u: upper },
      principal: { tenant_id: upper.toLowerCase() }
    }),
    'allowed'
  )
  t.equal(
    ours({ rule: when('resource.u == principal.id'), row: { u: `{${ID}}` } }),
    'invalid_attribute',
    'no braces'
  )
  t.equal(ours({ rule: when('resource.n >= 9'), row: { n: '10' } }), 'allowed', 'text of pg is a number')
  t.equal(ours({ rule: when('resource.n == 9007199254740993'), row: { n: '9007199254740992' } }), 'no_rule')
  t.equal(ours({ rule: when('resource.at > now'), row: { at: '2026-01-01T00:00:00.000001Z' } }), 'allowed')
  t.equal(ours({ rule: when('resource.at > now'), row: { at: '2026-01-01T00:00:00Z' } }), 'no_rule')
})

t.test('what has no one meaning is refused', async t => {
  t.equal(ours({ rule: when('resource.t < "x"') }), 'TWR_POLICY_ORDER')
  t.equal(ours({ rule: when('resource.m > "private"') }), 'TWR_POLICY_ORDER')
  t.equal(ours({ rule: when('resource.t == resource.m') }), 'TWR_POLICY_TYPE')
  t.equal(ours({ rule: when('resource.u == resource.u') }), 'TWR_POLICY_TWO_COLUMNS')
  t.equal(ours({ rule: when('resource.t in ["x", null]') }), 'TWR_POLICY_NULL')
  t.equal(ours({ rule: when('resource.t.matches("x")') }), 'TWR_POLICY_SYNTAX')
})

t.test('no conditions are no rule for everybody', async t => {
  t.ok(byHand(undefined, { t: 'x' }), 'CASL: without conditions, always')
  t.equal(ours({ rule: '{ allow: [read] }' }), 'TWR_POLICY_SCHEMA')
  t.equal(ours({ rule: '{ allow: [read], when: }' }), 'TWR_POLICY_SCHEMA')
  t.equal(ours({ rule: '{ allow: [read], when: {} }' }), 'TWR_POLICY_SCHEMA')
})

t.test('a forbid stands, wherever it is written and whatever is unknown', async t => {
  t.ok(byHand({ $or: [{ t: 'x' }] }, { t: 'x' }, true), 'CASL: $or in a forbid is silently false')
  t.ok(byHand({ t: 'x' }, { t: null }, true), 'CASL: null passes a forbid')
  const both = (forbid: string) =>
    `{ allow: [read], when: 'true' }\n      f: { forbid: [read], when: '${forbid}' }`
  t.equal(ours({ rule: both('resource.t == "x"'), row: { t: null } }), 'forbidden')
  t.equal(ours({ rule: both('resource.t == "x" || resource.b'), row: { t: 'x', b: false } }), 'forbidden')
  t.equal(ours({ rule: both('resource.t == "x"'), row: { t: 'y' } }), 'allowed')
  const before = `{ forbid: [read], when: resource.b }\n      s: { allow: [read], when: 'true' }`
  t.equal(ours({ rule: before, row: { b: true } }), 'forbidden', 'the order of rules does not matter')
})
