import type { EmittedRule } from '../../src/prove/portable.js'

/** A change of the portable rules, the same for every principal. */
export interface CaslMutant {
  readonly name: string
  readonly change: (rules: readonly EmittedRule[]) => readonly EmittedRule[]
}

type Operators = Readonly<Record<string, unknown>>
type Conditions = Readonly<Record<string, Operators>>

/** Every single change of the rules that were seen for some principals. */
export function caslMutants(seen: readonly EmittedRule[]): readonly CaslMutant[] {
  const actions = [...new Set(seen.map(({ action }) => String(action)))]
  return [
    ...actions.flatMap(action => actionMutants(action, seen)),
    ...[...new Set(seen.map(shapeOf))].flatMap(shapeMutants),
    ...[...new Set(seen.flatMap(placesOf))].flatMap(place => operatorMutants(place)),
    ...[...new Set(seen.flatMap(elementPlacesOf))].flatMap(place => elementMutants(place)),
    ...actions.flatMap(invertedMutants)
  ]
}

function conditionsOf(rule: EmittedRule): Conditions {
  return (rule['conditions'] ?? {}) as Conditions
}

/** What rules of different principals have in common: the action, and the operators on each column. */
function shapeOf(rule: EmittedRule): string {
  const columns = Object.entries(conditionsOf(rule)).map(
    ([column, operators]) => `${column} ${Object.keys(operators)}`
  )
  return `${rule['action']} [${columns.sort().join('; ')}]`
}

function placesOf(rule: EmittedRule): readonly string[] {
  return Object.entries(conditionsOf(rule)).flatMap(([column, operators]) =>
    Object.keys(operators).map(operator => `${rule['action']} ${column} ${operator}`)
  )
}

type Element = readonly [relation: string, of: Conditions]

function elementsOf(rule: EmittedRule): readonly Element[] {
  return Object.entries(conditionsOf(rule)).flatMap(([relation, { $elemMatch }]) =>
    $elemMatch === undefined ? [] : [[relation, $elemMatch as Conditions] as const]
  )
}

function elementPlacesOf(rule: EmittedRule): readonly string[] {
  return elementsOf(rule).flatMap(([relation, of]) =>
    Object.entries(of).flatMap(([column, operators]) =>
      Object.keys(operators).map(operator => `${rule['action']} ${relation} ${column} ${operator}`)
    )
  )
}

/** Changes of one operator inside of an `$elemMatch`. */
function elementMutants(place: string): readonly CaslMutant[] {
  const [action, relation = '', column = '', operator = ''] = place.split(' ')
  const changes: readonly OperatorChange[] = [['dropped', () => ({})], ...(CHANGES[operator] ?? [])]
  return changes.map(([name, change]) => ({
    name: `${place} ${name}`,
    change: rules =>
      rules.map(rule => {
        const of = conditionsOf(rule)[relation]?.['$elemMatch']
        if (rule['action'] !== action || of === undefined) return rule
        const inner = changed({ conditions: of }, column, operator, change)
        const next = { [relation]: { $elemMatch: conditionsOf(inner) } }
        return { ...rule, conditions: { ...conditionsOf(rule), ...next } }
      })
  }))
}

function notInverted({ inverted: _, ...rule }: EmittedRule): EmittedRule {
  return rule
}

/** Forbids that allow, or that stand where an allow comes after them. */
function invertedMutants(action: string): readonly CaslMutant[] {
  const isForbid = (rule: EmittedRule) => rule['action'] === action && rule['inverted'] === true
  return [
    {
      name: `${action}: forbids without inverted`,
      change: rules => rules.map(rule => (isForbid(rule) ? notInverted(rule) : rule))
    },
    { name: `${action}: no forbids`, change: rules => rules.filter(rule => !isForbid(rule)) },
    {
      name: `${action}: forbids before allows`,
      change: rules => [...rules.filter(isForbid), ...rules.filter(rule => !isForbid(rule))]
    }
  ]
}

function actionMutants(action: string, seen: readonly EmittedRule[]): readonly CaslMutant[] {
  const subject = seen[0]?.['subject']
  const other = action === 'read' ? 'delete' : 'read'
  const ofAction = (change: (rule: EmittedRule) => EmittedRule) => (rules: readonly EmittedRule[]) =>
    rules.map(rule => (rule['action'] === action ? change(rule) : rule))
  return [
    { name: `${action}: for everyone`, change: rules => [...rules, { action, subject }] },
    { name: `${action}: rules are for ${other}`, change: ofAction(rule => ({ ...rule, action: other })) },
    { name: `${action}: rules are for manage`, change: ofAction(rule => ({ ...rule, action: 'manage' })) },
    { name: `${action}: rules are inverted`, change: ofAction(rule => ({ ...rule, inverted: true })) },
    {
      name: `${action}: rules are for all subjects`,
      change: ofAction(rule => ({ ...rule, subject: 'all' }))
    },
    { name: `${action}: no rules`, change: rules => rules.filter(rule => rule['action'] !== action) }
  ]
}

function shapeMutants(shape: string): readonly CaslMutant[] {
  const dropped: CaslMutant = {
    name: `${shape}: dropped`,
    change: rules => rules.filter(rule => shapeOf(rule) !== shape)
  }
  if (shape.endsWith('[]')) return [dropped]
  const emptied: CaslMutant = {
    name: `${shape}: empty conditions`,
    change: rules => rules.map(rule => (shapeOf(rule) === shape ? { ...rule, conditions: {} } : rule))
  }
  const columns = shape
    .slice(shape.indexOf('[') + 1, -1)
    .split('; ')
    .map(part => part.split(' ')[0] ?? '')
  const loosened = columns.map(column => ({
    name: `${shape}: again without ${column}`,
    change: (rules: readonly EmittedRule[]) =>
      rules.flatMap(rule => (shapeOf(rule) === shape ? [rule, without(rule, column)] : [rule]))
  }))
  return [dropped, emptied, ...loosened]
}

function without(rule: EmittedRule, column: string): EmittedRule {
  const { conditions: _, ...bare } = rule
  const kept = Object.entries(conditionsOf(rule)).filter(([name]) => name !== column)
  return kept.length === 0 ? bare : { ...bare, conditions: Object.fromEntries(kept) }
}

type OperatorChange = readonly [name: string, change: (operand: unknown) => Operators]

const WITHOUT_NULL = (operand: unknown): unknown =>
  Array.isArray(operand) ? operand.filter(value => value !== null) : operand
const first = (operand: unknown): unknown => (Array.isArray(operand) ? operand[0] : operand)

const CHANGES: Readonly<Record<string, readonly OperatorChange[]>> = {
  $in: [
    ['becomes $nin', operand => ({ $nin: operand })],
    ['becomes $all', operand => ({ $all: operand })],
    ['becomes $eq of its first value', operand => ({ $eq: first(operand) })],
    ['becomes $ne', operand => ({ $ne: first(operand) })],
    ['also null', operand => ({ $in: [...new Set([...(operand as unknown[]), null])] })],
    ['another value', operand => ({ $in: ['another', ...(operand as unknown[])] })]
  ],
  $nin: [
    ['without null', operand => ({ $nin: WITHOUT_NULL(operand) })],
    ['becomes $in', operand => ({ $in: operand })],
    ['null alone', () => ({ $nin: [null] })]
  ],
  $elemMatch: [
    ['of any related row', () => ({ $elemMatch: {} })],
    ['becomes $size', () => ({ $size: 1 })]
  ],
  $all: [
    ['becomes $in', operand => ({ $in: operand })],
    ['becomes $nin', operand => ({ $nin: operand })],
    ['of nothing', () => ({ $all: [] })]
  ],
  $eq: [
    ['becomes $ne', operand => ({ $ne: operand })],
    ['becomes $nin', operand => ({ $nin: [operand] })],
    ['becomes $exists', () => ({ $exists: false })]
  ],
  $lt: [
    ['becomes $lte', operand => ({ $lte: operand })],
    ['becomes $gt', operand => ({ $gt: operand })]
  ],
  $gt: [
    ['becomes $gte', operand => ({ $gte: operand })],
    ['becomes $lt', operand => ({ $lt: operand })]
  ]
}

function operatorMutants(place: string): readonly CaslMutant[] {
  const [action = '', column = '', operator = ''] = place.split(' ')
  const changes: readonly OperatorChange[] = [['dropped', () => ({})], ...(CHANGES[operator] ?? [])]
  return changes.map(([name, change]) => ({
    name: `${place} ${name}`,
    change: rules =>
      rules.map(rule => (rule['action'] === action ? changed(rule, column, operator, change) : rule))
  }))
}

function changed(
  rule: EmittedRule,
  column: string,
  operator: string,
  change: OperatorChange[1]
): EmittedRule {
  const { [column]: operators } = conditionsOf(rule)
  if (operators === undefined || !Object.hasOwn(operators, operator)) return rule
  const { [operator]: operand, ...others } = operators
  const next = { ...others, ...change(operand) }
  if (Object.keys(next).length === 0) return without(rule, column)
  return { ...rule, conditions: { ...conditionsOf(rule), [column]: next } }
}
