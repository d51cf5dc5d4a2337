import type { JsonRow, Step } from '../../src/engine/explain/explanation.js'
import type { DecisionRequest } from '../../src/engine/request.js'
import type { JsonValue } from '../../src/ir/json.js'

type Members = Record<string, unknown>

/**
 * Applies the steps of a grant to a request, as the documentation says what they mean. It shares nothing with the search
 * that found them. `keys` are the columns that lead to relations: a row with another key has no related rows.
 */
export function applySteps(
  request: DecisionRequest,
  steps: readonly Step[],
  keys: Readonly<Record<string, readonly string[]>>
): DecisionRequest {
  // as it goes over the wire: two places that hold one object become two
  const copy = JSON.parse(JSON.stringify(request)) as {
    subject: { properties: Members }
    action: { properties?: { changes?: Members } }
    resource: { properties: Members }
  }
  for (const step of steps) {
    const changes = { ...copy.action.properties?.changes }
    if (copy.action.properties !== undefined || step.at.startsWith('changes.'))
      copy.action.properties = { changes }
    const side = { principal: copy.subject.properties, resource: copy.resource.properties, changes }
    const [, name = '', attribute = '', index, column] =
      /^(\w+)\.(\w+)(?:\[(\d+)\])?(?:\.(\w+))?$/.exec(step.at) ?? []
    const whole = side[name as keyof typeof side]
    if (whole === undefined) throw new Error(`no such place: ${step.at}`)
    // a column that the update does not name yet is the one of the row
    const current = name === 'changes' && !(attribute in changes) ? copy.resource.properties : whole
    if (index === undefined) {
      applyTo(whole, attribute, current, step)
      if (name !== 'principal') {
        for (const relation of keys[attribute] ?? []) {
          if (step.change === 'leave') delete whole[relation]
          else whole[relation] = []
          if (name === 'resource' && relation in changes && !(attribute in changes)) changes[relation] = []
        }
      }
      continue
    }
    const rows = asList(whole[attribute])
    if (column === undefined) rows.splice(Number(index), 1)
    else applyTo(rows[Number(index)] as Members, column, rows[Number(index)] as Members, step)
    whole[attribute] = rows
  }
  return copy as unknown as DecisionRequest
}

/** A relation to one row may be sent as that row alone. */
function asList(value: unknown): unknown[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? [...value] : [value]
}

function applyTo(into: Members, name: string, from: Members, step: Step): void {
  const items = asList(from[name])
  switch (step.change) {
    case 'set':
      into[name] = step.to
      return
    case 'add':
      into[name] = [...items, step.value]
      return
    case 'remove':
      into[name] = items.filter(item => !same(item as JsonValue, step.value))
      return
    case 'add_row':
      into[name] = [...items, step.row]
      return
    case 'remove_row':
      throw new Error('a row is removed by its place')
    case 'leave':
      delete into[name]
  }
}

function same(a: JsonValue | JsonRow, b: JsonValue): boolean {
  const text = (value: JsonValue | JsonRow) =>
    value === null ? null : typeof value === 'string' ? value.toLowerCase() : String(value)
  return text(a) === text(b)
}
