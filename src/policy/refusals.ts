import { PolicyError } from '../errors/errors.js'
import { GATES, gateForm } from '../ir/gates.js'
import type { Column, Resource } from '../ir/model.js'
import { disjuncts } from '../ir/normal-form.js'
import { type Declared, mapping } from './sections.js'

/** More alternatives than this in one gate are refused: neither CASL nor PostgreSQL would check them fast. */
export const MAX_DISJUNCTS = 128

/** Refuses a resource whose rules multiply out into too many alternatives. */
export function refuseTooComplex(
  resource: Resource,
  { source, path }: Declared,
  problems: PolicyError[]
): void {
  for (const gate of GATES) {
    if (disjuncts(gateForm(resource, gate), MAX_DISJUNCTS) !== null) continue
    const message = `the rules of ${resource.name} have more than ${MAX_DISJUNCTS} alternatives for ${gate}`
    problems.push(
      new PolicyError(
        'TWR_POLICY_TOO_COMPLEX',
        message,
        source.keySpanOf(path),
        'factor out what the rules share'
      )
    )
    return
  }
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
