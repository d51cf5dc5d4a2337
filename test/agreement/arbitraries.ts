import fc from 'fast-check'

/** The policy header under which every random condition stands. */
const HEADER = `version: 1
enums:
  mode: [private, global, selective]
  tenant_type: [client, solution, industry, platform]
principal:
  id: uuid
  tenant_id: uuid
  tenant_type: tenant_type
  tenant_role: text
  roles: set<text>
  is_platform_admin: { type: bool, role: authz_platform_admin }
resources:
  parent:
    table: parents
    columns: { id: uuid!, u: uuid, b: bool, ts: set<text> }
    rules:
PARENT
  thing:
    table: things
    relations:
      parent: { one: parent, local: p }
      links: { many: links, remote: thing_id, columns: { u: uuid, t: text, n: int, at: timestamptz } }
    columns:
      { id: uuid!, p: uuid, u: uuid, v: uuid, t: text, m: mode, k: tenant_type, b: bool, n: int,
        d: date, at: timestamptz, us: set<uuid>, ts: set<text>, ns: set<int>, ms: set<mode> }
    rules:
`

/** The table of the resource `thing`, every column but the key nullable. */
export const TABLE = `CREATE TABLE public.parents (id uuid PRIMARY KEY, u uuid, b boolean, ts text[]);
CREATE TABLE public.links (thing_id uuid, u uuid, t text, n bigint, at timestamptz);
CREATE TABLE public.things (
  id uuid PRIMARY KEY, p uuid, u uuid, v uuid, t text, m text, k text, b boolean, n bigint,
  d date, at timestamptz, us uuid[], ts text[], ns bigint[], ms text[])`

const UUIDS = [
  '00000000-0000-0000-0000-00000000000a',
  '00000000-0000-0000-0000-00000000000B',
  'AAAAAAAA-0000-0000-0000-00000000000c'
] as const
const TEXTS = ['a', 'B', "it's", 'back\\slash', ''] as const
const INTS = ['0', '1', '-1', '9007199254740993', '9223372036854775807'] as const
const DATES = ['2024-02-29', '2026-01-01', '9999-12-31', 'infinity', '-infinity'] as const
const TIMES = [
  '2001-09-09T01:46:40Z',
  '2026-01-01T00:00:00.000001Z',
  '2026-01-01T01:00:00.000001+01:00',
  '2300-01-01T00:00:00.123457Z',
  'infinity'
] as const
const MODES = ['private', 'global', 'selective'] as const
const TYPES = ['client', 'solution', 'industry', 'platform'] as const

const quoted = (value: string): string => JSON.stringify(value)
const oneOf = (values: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...values)
const uuid = oneOf(UUIDS).map(quoted)
const text = oneOf(TEXTS).map(quoted)
const mode = oneOf(MODES).map(quoted)
const type = oneOf(TYPES).map(quoted)
const int = oneOf(INTS)
const date = oneOf(DATES).map(quoted)
const time = oneOf(TIMES).map(quoted)
/** CASL orders by numbers only, so a bound is one. */
const bound = oneOf(TIMES.filter(one => !one.startsWith('23'))).map(quoted)
const list = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(item, { maxLength: 3 }).map(items => `[${items.join(', ')}]`)
const equal = oneOf(['==', '!='])
const order = oneOf(['<', '<=', '>', '>='])
const inOrNot = oneOf(['in', 'not in'])

/** `left op right` in either order. */
function compare(
  left: fc.Arbitrary<string>,
  right: fc.Arbitrary<string>,
  operator = equal
): fc.Arbitrary<string> {
  return fc
    .tuple(left, operator, right, fc.boolean())
    .map(([a, op, b, swap]) => (swap ? `${b} ${op} ${a}` : `${a} ${op} ${b}`))
}

function member(item: fc.Arbitrary<string>, set: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(item, inOrNot, set).map(parts => parts.join(' '))
}

const uuidColumn = oneOf(['resource.u', 'resource.v', 'resource.id'])
const uuidPrincipal = oneOf(['principal.id', 'principal.tenant_id'])
const scalarColumn = oneOf(['u', 'v', 't', 'm', 'k', 'b', 'n', 'd', 'at'].map(name => `resource.${name}`))
const scalarPrincipal = oneOf(['tenant_id', 'tenant_type', 'tenant_role'].map(name => `principal.${name}`))

/** Every kind of atom of the language, about equally often. */
const atom: fc.Arbitrary<string> = fc.oneof(
  compare(uuidColumn, fc.oneof(uuidPrincipal, uuid)),
  compare(oneOf(['resource.t']), fc.oneof(oneOf(['principal.tenant_role']), text)),
  compare(oneOf(['resource.m']), mode),
  compare(oneOf(['resource.k']), fc.oneof(oneOf(['principal.tenant_type']), type)),
  compare(oneOf(['resource.b']), oneOf(['true', 'false', 'principal.is_platform_admin'])),
  compare(oneOf(['resource.n']), int),
  compare(oneOf(['resource.n']), oneOf(['0', '-1', '9007199254740991', '-9007199254740991']), order),
  compare(oneOf(['resource.d']), date, fc.oneof(order, equal)),
  compare(oneOf(['resource.at']), time, equal),
  compare(oneOf(['resource.at']), fc.oneof(bound, oneOf(['now'])), order),
  member(oneOf(['resource.d']), list(date)),
  compare(oneOf(['now']), bound, order),
  compare(oneOf(['principal.tenant_type']), type),
  compare(oneOf(['principal.tenant_id']), oneOf(['principal.id'])),
  member(uuidColumn, list(uuid)),
  member(oneOf(['resource.t']), fc.oneof(list(text), oneOf(['principal.roles']))),
  member(oneOf(['resource.m']), list(mode)),
  member(oneOf(['resource.n']), list(int)),
  member(fc.oneof(uuidPrincipal, uuid), oneOf(['resource.us'])),
  member(fc.oneof(oneOf(['principal.tenant_role']), text), oneOf(['resource.ts', 'principal.roles'])),
  member(int, oneOf(['resource.ns'])),
  member(mode, oneOf(['resource.ms'])),
  member(oneOf(['principal.tenant_type']), list(type)),
  fc.tuple(fc.oneof(scalarColumn, scalarPrincipal), equal).map(([term, op]) => `${term} ${op} null`),
  oneOf(['resource.b', 'principal.is_platform_admin', 'true', 'false'])
)

/** What is asked of a parent row, named `x`, in its own rules or in an exists(). */
const parentAtom = (x: string): fc.Arbitrary<string> =>
  fc.oneof(
    compare(oneOf([`${x}.u`]), fc.oneof(uuidPrincipal, uuid)),
    compare(oneOf([`${x}.b`]), oneOf(['true', 'false'])),
    member(oneOf(['principal.tenant_role', '"a"']), oneOf([`${x}.ts`])),
    oneOf(['principal.is_platform_admin', `${x}.u == null`])
  )

const linkAtom: fc.Arbitrary<string> = fc.oneof(
  compare(oneOf(['l.u']), fc.oneof(uuidPrincipal, uuid)),
  compare(oneOf(['l.t']), text),
  compare(oneOf(['l.n']), int),
  compare(oneOf(['l.at']), oneOf(['now']), order),
  member(oneOf(['l.t']), fc.oneof(list(text), oneOf(['principal.roles']))),
  oneOf(['resource.b', 'l.n != null', 'principal.tenant_role == null'])
)

/** Two atoms, joined or not. */
const few = (one: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(one, oneOf(['&&', '||']), one, fc.constantFrom('one', 'both', 'not'))
    .map(([a, op, b, form]) =>
      form === 'one' ? a : form === 'both' ? `${a} ${op} ${b}` : `!(${a} ${op} ${b})`
    )

const related: fc.Arbitrary<string> = fc.oneof(
  fc.constant('resource.parent.can("read")'),
  few(parentAtom('x')).map(inner => `resource.parent.exists(x, ${inner})`),
  few(linkAtom).map(inner => `resource.links.exists(l, ${inner})`)
)

const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>(tie => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: atom, weight: 6 },
    { arbitrary: related, weight: 1 },
    { arbitrary: tie('node').map(inner => `!(${inner})`), weight: 2 },
    {
      arbitrary: fc
        .tuple(tie('node'), oneOf(['&&', '||']), tie('node'))
        .map(([a, op, b]) => `(${a} ${op} ${b})`),
      weight: 4
    }
  )
})).node

const rule = fc.record({
  effect: fc.constantFrom('allow', 'allow', 'allow', 'forbid'),
  actions: fc.subarray(['read', 'create', 'update', 'delete'], { minLength: 1 }),
  when: condition,
  check: fc.option(condition)
})

const columnRule = fc.record({
  columns: fc.subarray(['u', 't', 'b', 'us', 'at'], { minLength: 1 }),
  when: condition
})

/**
 * A policy file of one to four random rules and some column rules; read is allowed often, because update and delete
 * need it.
 */
export const policyText: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(rule, { minLength: 1, maxLength: 4 }),
    condition,
    fc.array(columnRule, { maxLength: 2 }),
    fc.subarray(['n', 'ts', 'd'], { maxLength: 1 }),
    fc.tuple(few(parentAtom('resource')), fc.option(few(parentAtom('resource'))))
  )
  .map(([rules, readable, columnRules, immutable, [parentRead, parentForbid]]) => {
    const parent = [`      a: { allow: [read], when: ${JSON.stringify(parentRead)} }`]
    if (parentForbid !== null)
      parent.push(`      f: { forbid: [read], when: ${JSON.stringify(parentForbid)} }`)
    const lines = rules.map(({ effect, actions, when, check }, i) => {
      const asked = check !== null && (actions.includes('create') || actions.includes('update'))
      const tail = asked ? `, check: ${JSON.stringify(check)}` : ''
      return `      r${i}: { ${effect}: [${actions.join(', ')}], when: ${JSON.stringify(when)}${tail} }`
    })
    lines.push(`      readable: { allow: [read], when: ${JSON.stringify(readable)} }`)
    const guards = columnRules.map(
      ({ columns, when }) => `      - { columns: [${columns.join(', ')}], when: ${JSON.stringify(when)} }`
    )
    const guarded = guards.length > 0 ? `    column_rules:\n${guards.join('\n')}\n` : ''
    return `${HEADER.replace('PARENT', () => parent.join('\n'))}${lines.join('\n')}\n    immutable: [${immutable.join(', ')}]\n${guarded}`
  })

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 3 })
const setOf = (items: readonly string[]): fc.Arbitrary<(string | null)[] | null> =>
  fc.option(fc.array(fc.option(oneOf(items), { freq: 5 }), { maxLength: 3 }), { freq: 4 })

/** The ids that parents may have. */
export const PARENTS = ['P1', 'P2', 'P3', 'P4'].map(name => `20000000-0000-0000-0000-00000000000${name[1]}`)

/** A row that others relate to. */
export const parentRow = fc.record({ u: maybe(oneOf(UUIDS)), b: maybe(fc.boolean()), ts: setOf(TEXTS) })
/** A row that belongs to one of the first few things. */
export const linkRow = fc.record({
  thing: fc.nat({ max: 30 }),
  u: maybe(oneOf(UUIDS)),
  t: maybe(oneOf(TEXTS)),
  n: maybe(oneOf(INTS)),
  at: maybe(oneOf(TIMES))
})

/** A row without its id, as JSON would carry it: int as text, uuids in either case, NULL everywhere. */
export const row = fc.record({
  p: maybe(oneOf([...PARENTS, '20000000-0000-0000-0000-00000000000f'])),
  u: maybe(oneOf(UUIDS)),
  v: maybe(oneOf(UUIDS)),
  t: maybe(oneOf(TEXTS)),
  m: maybe(oneOf(MODES)),
  k: maybe(oneOf(TYPES)),
  b: maybe(fc.boolean()),
  n: maybe(oneOf(INTS)),
  d: maybe(oneOf(DATES)),
  at: maybe(oneOf(TIMES)),
  us: setOf(UUIDS),
  ts: setOf(TEXTS),
  ns: setOf(INTS),
  ms: setOf(MODES)
})

/** A principal, every attribute of which may be null. */
export const principal = fc.record({
  id: fc.option(oneOf(UUIDS), { freq: 8 }),
  tenant_id: maybe(oneOf(UUIDS)),
  tenant_type: maybe(oneOf(TYPES)),
  tenant_role: maybe(oneOf(TEXTS)),
  roles: setOf(TEXTS),
  is_platform_admin: maybe(fc.boolean())
})

/** A random principal. */
export type Principal = typeof principal extends fc.Arbitrary<infer T> ? T : never
/** A random row with the id that the test gave it. */
export type Row = (typeof row extends fc.Arbitrary<infer T> ? T : never) & { readonly id: string }
