import type { Gate } from '../../src/ir/gates.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { sameType } from '../../src/ir/types.js'
import type { Scalar } from '../../src/ir/values.js'
import { distinct, distinctColumn } from '../../src/prove/changes.js'
import type { ReadPolicy, TableSecurity } from '../../src/prove/read-back.js'
import { roleOf } from '../../src/prove/read-guard-condition.js'
import {
  guardAlone,
  isOrdering,
  type SqlArray,
  type SqlExpression,
  type SqlOperand
} from '../../src/prove/sql-expression.js'

/** A change of one table's security, and what it is called. */
export interface SqlMutant {
  readonly name: string
  readonly security: TableSecurity
  /** The clause that was changed; null for changes of structure. */
  readonly clause: { readonly after: SqlExpression; readonly role: string; readonly gate: Gate } | null
}

/** One change of an expression or operand. */
export interface Change<T> {
  readonly name: string
  readonly to: T
}

/** Every single change of every policy, grant and switch of a table. */
export function sqlMutants(
  security: TableSecurity,
  resource: Resource,
  bundle: Bundle
): readonly SqlMutant[] {
  return [...clauseMutants(security, resource, bundle), ...structureMutants(security)]
}

function clauseMutants(security: TableSecurity, resource: Resource, bundle: Bundle): readonly SqlMutant[] {
  return [...security.policies.values()].flatMap(policy =>
    (['using', 'check'] as const).flatMap(clause => {
      const before = policy[clause]
      if (before === null) return []
      return expressionChanges(before, operandsOf(resource, bundle)).map(({ name, to: after }) => ({
        name: `${policy.name} ${clause}: ${name}`,
        security: withPolicy(security, { ...policy, [clause]: after }),
        clause: { after, role: policy.roles[0] ?? '', gate: gateOf(policy.command, clause) }
      }))
    })
  )
}

function gateOf(command: string, clause: 'using' | 'check'): Gate {
  if (command === 'select') return 'read'
  if (command === 'insert') return 'create'
  if (command === 'delete') return 'delete'
  return clause === 'using' ? 'update' : 'update_new'
}

function withPolicy(security: TableSecurity, policy: ReadPolicy): TableSecurity {
  return { ...security, policies: new Map([...security.policies, [policy.name, policy]]) }
}

/** What may stand in an operand's place. */
export function operandsOf(resource: Resource, bundle: Bundle): readonly SqlOperand[] {
  return [
    ...resource.columns.map(({ name, type }) => ({ kind: 'column', name, type }) as const),
    ...bundle.principal.map(({ name, type }) => ({ kind: 'principal', name, type }) as const)
  ]
}

/** Every single change of an expression. */
export function expressionChanges(
  one: SqlExpression,
  others: readonly SqlOperand[]
): readonly Change<SqlExpression>[] {
  const negated: Change<SqlExpression> = { name: 'negate', to: { kind: 'not', of: one } }
  const special = guardChanges(one, others)
  if (special !== null) return [negated, ...special]
  switch (one.kind) {
    case 'const':
      return [negated]
    case 'not':
      return [{ name: 'drop NOT', to: one.of }, ...inside(one.of, others, of => ({ ...one, of }))]
    case 'and':
    case 'or': {
      const other = one.kind === 'and' ? 'or' : 'and'
      const dropped = one.of.map((_, i) => ({
        name: `drop part ${i + 1} of ${one.kind}`,
        to: { ...one, of: one.of.filter((_, j) => j !== i) }
      }))
      const deeper = one.of.flatMap((part, i) =>
        inside(part, others, changed => ({ ...one, of: one.of.with(i, changed) }), `${i + 1}.`)
      )
      return [{ name: `${one.kind} becomes ${other}`, to: { ...one, kind: other } }, ...dropped, ...deeper]
    }
    case 'not true':
      return [
        { name: 'drop IS NOT TRUE', to: one.of },
        { name: 'IS NOT TRUE becomes NOT', to: { kind: 'not', of: one.of } },
        ...inside(one.of, others, of => ({ ...one, of }))
      ]
    case 'exists': {
      const ofRelated = one.relation.columns.map(
        ({ name, type }) => ({ kind: 'related', name, type, relation: one.relation }) as const
      )
      return [
        { name: 'EXISTS becomes NOT EXISTS', to: { kind: 'not', of: one } },
        { name: 'EXISTS becomes true', to: { kind: 'const', value: true } },
        { name: 'EXISTS of any related row', to: { ...one, of: { kind: 'const', value: true } } },
        ...inside(one.of, [...others, ...ofRelated], of => ({ ...one, of }), 'EXISTS')
      ]
    }
    case 'guarded': {
      const open = one.open
      return [
        { name: 'the guard dropped', to: one.of },
        ...inside(one.of, others, of => ({ ...one, of }), 'guard'),
        ...(open === null
          ? []
          : [
              { name: 'only the half that narrows', to: open },
              {
                name: 'the halves joined by OR',
                to: { kind: 'or', of: [open, { ...one, open: null }] } as const
              },
              ...inside(open, others, of => ({ ...one, open: of }), 'open')
            ])
      ]
    }
    case 'bool':
      return [negated, ...swaps(one.of, others).map(({ name, to }) => ({ name, to: { ...one, of: to } }))]
    case 'null':
      return [
        { name: 'IS NULL flipped', to: { ...one, negated: !one.negated } },
        { name: 'null test becomes true', to: { kind: 'const', value: true } },
        ...swaps(one.of, others).map(({ name, to }) => ({ name, to: { ...one, of: to } }))
      ]
    case 'compare':
      return [
        ...operatorsBeside(one.operator).map(operator => ({
          name: `${one.operator} becomes ${operator}`,
          to: { ...one, operator }
        })),
        ...swaps(one.left, others).map(({ name, to }) => ({ name, to: { ...one, left: to } })),
        ...swaps(one.right, others).map(({ name, to }) => ({ name, to: { ...one, right: to } }))
      ]
    case 'any':
    case 'all':
      return [
        {
          name: `${one.kind} becomes ${one.kind === 'any' ? 'all' : 'any'}`,
          to: { ...one, kind: one.kind === 'any' ? 'all' : 'any' }
        },
        ...operatorsBeside(one.operator).map(operator => ({
          name: `${one.operator} becomes ${operator}`,
          to: { ...one, operator }
        })),
        ...swaps(one.item, others).map(({ name, to }) => ({ name, to: { ...one, item: to } }))
      ]
    case 'contains':
      return [
        negated,
        { name: '@> the other way round', to: { ...one, array: one.items, items: one.array } },
        {
          name: '@> becomes = ANY',
          to: { kind: 'any', operator: '=', item: firstOf(one.items), array: one.array }
        },
        ...swaps(firstOf(one.items), others).map(({ name, to }) => ({
          name,
          to: { ...one, items: { kind: 'array', of: [to] } as const }
        }))
      ]
  }
}

/** The changes of what only the guard of columns has; null for any other expression. */
function guardChanges(
  one: SqlExpression,
  others: readonly SqlOperand[]
): readonly Change<SqlExpression>[] | null {
  const column = distinctColumn(one)
  if (column !== null) {
    const columns = others
      .filter(({ kind }) => kind === 'column')
      .map(other => ('name' in other ? other.name : ''))
    return columns
      .filter(name => name !== column)
      .map(name => ({ name: `change of ${column} becomes change of ${name}`, to: distinct(name) }))
  }
  const role = roleOf(one)
  return role === null ? null : [{ name: `role ${role} becomes any`, to: { kind: 'const', value: true } }]
}

function inside(
  part: SqlExpression,
  others: readonly SqlOperand[],
  around: (changed: SqlExpression) => SqlExpression,
  place = ''
): readonly Change<SqlExpression>[] {
  return expressionChanges(part, others).map(({ name, to }) => ({
    name: `${place} ${name}`.trim(),
    to: around(to)
  }))
}

function firstOf(array: SqlArray): SqlOperand {
  const [first] = array.kind === 'array' ? array.of : [array.of]
  if (first === undefined) throw new Error('an empty array')
  return first
}

function operatorsBeside(operator: '=' | '<>' | '<' | '<=' | '>' | '>=') {
  if (!isOrdering(operator)) return [operator === '=' ? '<>' : '='] as const
  return (['<', '<=', '>', '>=', '='] as const).filter(other => other !== operator)
}

/** The operand replaced by each other one of its type, a constant by another constant. */
function swaps(operand: SqlOperand, others: readonly SqlOperand[]): readonly Change<SqlOperand>[] {
  if (operand.kind === 'literal') {
    const value = otherValue(operand.value, operand.type.kind === 'enum' ? operand.type.labels : [])
    return value === null ? [] : [{ name: `${operand.value} becomes ${value}`, to: { ...operand, value } }]
  }
  return others
    .filter(
      other =>
        other.kind === operand.kind && nameOf(other) !== nameOf(operand) && sameType(other.type, operand.type)
    )
    .map(other => ({ name: `${nameOf(operand)} becomes ${nameOf(other)}`, to: other }))
}

function nameOf(operand: SqlOperand): string {
  return operand.kind === 'literal' || operand.kind === 'now' ? operand.kind : operand.name
}

function otherValue(value: Scalar, labels: readonly string[]): Scalar | null {
  if (typeof value === 'number') return value + 1
  if (typeof value !== 'string') return null
  return labels.find(label => label !== value) ?? `${value} else`
}

/** Changes of what is around the clauses. */
function structureMutants(security: TableSecurity): readonly SqlMutant[] {
  const { policies, granted, revoked } = security
  const made: [string, TableSecurity][] = [
    ['row-level security not enabled', { ...security, enabled: false }],
    ['row-level security not forced', { ...security, forced: false }]
  ]
  for (const policy of policies.values()) {
    const { name, using, check, roles } = policy
    const without = new Map([...policies].filter(([key]) => key !== name))
    const otherRole = [...granted.keys()].find(role => role !== roles[0]) ?? 'PUBLIC'
    made.push(
      [`${name}: dropped`, { ...security, policies: without }],
      [`${name}: restrictive`, withPolicy(security, { ...policy, permissive: false })],
      [`${name}: for PUBLIC`, withPolicy(security, { ...policy, roles: ['PUBLIC'] })],
      [`${name}: for ${otherRole}`, withPolicy(security, { ...policy, roles: [otherRole] })],
      [`${name}: for all commands`, withPolicy(security, { ...policy, command: 'all' })]
    )
    if (guardText(using) !== guardText(check)) {
      const exchanged = { ...policy, using: check, check: using }
      made.push([`${name}: USING and WITH CHECK exchanged`, withPolicy(security, exchanged)])
      if (using !== null && check !== null) {
        made.push([
          `${name}: USING in place of WITH CHECK`,
          withPolicy(security, { ...policy, check: using })
        ])
      }
    }
    if (using !== null && check !== null) {
      made.push([`${name}: no WITH CHECK`, withPolicy(security, { ...policy, check: null })])
    }
    made.push([
      `${name}: doubled, true`,
      withPolicy(security, { ...policy, name: `${name}_2`, ...doubled(policy) })
    ])
  }
  for (const [role, privileges] of granted) {
    made.push([
      `${role}: also TRUNCATE`,
      { ...security, granted: new Map([...granted, [role, new Set([...privileges, 'truncate'])]]) }
    ])
    for (const privilege of privileges) {
      const fewer = new Set([...privileges].filter(other => other !== privilege))
      made.push([`${role}: no ${privilege}`, { ...security, granted: new Map([...granted, [role, fewer]]) }])
    }
  }
  for (const role of revoked) {
    made.push([
      `${role}: nothing revoked`,
      { ...security, revoked: new Set([...revoked].filter(other => other !== role)) }
    ])
  }
  return made.map(([name, mutant]) => ({ name, security: mutant, clause: null }))
}

/** What decides in a clause: the half that only narrows is no difference. */
function guardText(clause: SqlExpression | null): string {
  return JSON.stringify(clause === null ? null : guardAlone(clause))
}

function doubled({ using, check }: ReadPolicy): Pick<ReadPolicy, 'using' | 'check'> {
  const TRUE = { kind: 'const', value: true } as const
  return { using: using === null ? null : TRUE, check: check === null ? null : TRUE }
}
