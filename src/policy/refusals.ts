import { PolicyError } from '../errors/errors.js'
import {
  alternatives,
  MAX_ALTERNATIVES,
  type NoAlternatives,
  surelyHasAlternatives
} from '../ir/alternatives.js'
import { allowForm, gateForbids, gateRules, gatesOf, ruleForm } from '../ir/gates.js'
import type { AddedAction, Column, Resource, Rule } from '../ir/model.js'
import { type Declared, mapping } from './sections.js'

const NOT_PORTABLE: Readonly<Record<Exclude<NoAlternatives, 'too many'>, readonly [string, string]>> = {
  'every related row': [
    'needs something of every related row',
    'say it of one: an allow rule with exists(), or a forbid rule with exists() for the opposite'
  ],
  'two related rows': [
    'asks for two rows of one relation at once',
    'ask for one row that has both; let one rule allow both read and update'
  ],
  'two values of one set': ['asks one set for two values', 'give the rows a column that says so and ask that']
}

/** Refuses a resource whose rules multiply out into too many alternatives, or that plain CASL rules cannot say. */
export function refuseTooComplex(
  resource: Resource,
  actions: readonly AddedAction[],
  declared: Declared,
  problems: PolicyError[]
): void {
  for (const gate of gatesOf({ actions })) {
    const whole = allowForm(resource, gate)
    const forbids = gateForbids(resource, gate)
    const sure = surelyHasAlternatives(whole, MAX_ALTERNATIVES)
    const asked = [
      ...(sure
        ? []
        : gateRules(resource, gate).map(rule => ({
            rule,
            form: ruleForm(resource, gate, rule),
            holds: true
          }))),
      ...(sure ? [] : [{ rule: null, form: whole, holds: true }]),
      ...forbids.map(({ rule, cleared }) => ({ rule, form: cleared, holds: false }))
    ]
    for (const { rule, form, holds } of asked) {
      const found = alternatives(form, MAX_ALTERNATIVES, holds)
      if (typeof found !== 'string') continue
      problems.push(refusal(resource, declared, gate, rule, found))
      return
    }
  }
}

function refusal(
  resource: Resource,
  { source, path }: Declared,
  gate: string,
  rule: Rule | null,
  found: NoAlternatives
): PolicyError {
  const [which, has] =
    rule === null
      ? [`the rules of ${resource.name}`, 'have']
      : [`the rule ${rule.id} of ${resource.name}`, 'has']
  const span = rule?.span ?? source.keySpanOf(path)
  if (found === 'too many') {
    const message = `${which} ${has} more than ${MAX_ALTERNATIVES} alternatives for ${gate}`
    return new PolicyError('TWR_POLICY_TOO_COMPLEX', message, span, 'factor out what the rules share')
  }
  const [what, hint] = NOT_PORTABLE[found]
  return new PolicyError(
    'TWR_POLICY_NOT_PORTABLE',
    `for ${gate}, ${which} ${what}: CASL cannot say that`,
    span,
    hint
  )
}

const KEY_TYPES: ReadonlySet<string> = new Set(['uuid', 'text', 'int'])

/** A stored row is found by its id, so a resource with a table has one. */
export function refuseWithoutKey(
  resource: Resource,
  columns: ReadonlyMap<string, Column | null>,
  { source, path }: Declared,
  problems: PolicyError[]
): void {
  if (resource.table === null || columns.get('id') === null) return
  const id = columns.get('id')
  if (id && KEY_TYPES.has(id.type.kind) && !id.nullable) return
  const message = `${resource.name} has a table and no column \`id: uuid!\` (or text! or int!)`
  problems.push(
    new PolicyError('TWR_POLICY_SCHEMA', message, source.keySpanOf(path), 'requests name a row by its id')
  )
}

/** One table, one resource: two would be two sets of policies on it, which PostgreSQL would join with OR. */
export function refuseSharedTables(declared: ReadonlyMap<string, Declared>, problems: PolicyError[]): void {
  const owners = new Map<unknown, string>()
  for (const { name, value, source, path } of declared.values()) {
    const table = mapping(value)['table']
    if (typeof table !== 'string') continue
    const other = owners.get(table)
    if (other === undefined) owners.set(table, name)
    else {
      const message = `the table \`${table}\` is already the one of ${other}`
      problems.push(new PolicyError('TWR_POLICY_DUPLICATE', message, source.spanOf([...path, 'table'])))
    }
  }
}
