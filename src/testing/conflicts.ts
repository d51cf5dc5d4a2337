import { PolicyError } from '../errors/errors.js'
import type { Path } from '../policy/source.js'
import { nameOf } from './case.js'
import type { Fixtures, Principal } from './fixtures.js'
import type { Reading } from './names.js'

/**
 * Reports what no database can hold: two rows of a type with one id, a tenant of two types, a user with two sets of
 * roles that hold everywhere.
 */
export function reportConflicts(
  { source, problems }: Reading,
  { tenants, principals, rows }: Fixtures
): void {
  const report = ({ path }: { readonly path: Path }, message: string, hint: string) => {
    problems.push(new PolicyError('TWR_TEST_VALUE', message, source.spanOf(path), hint))
  }
  for (const [one, other] of pairs(rows, row => `${row.resource.table ?? row.resource.name} ${row.id}`)) {
    const hint = 'leave the id out to get one of its own'
    report(other, `\`${nameOf(one.name, 'row')}\` has the same id`, hint)
  }
  for (const [one, other] of pairs(tenants, ({ id }) => id)) {
    if (one.type === other.type && one.status === other.status) continue
    report(other, 'a tenant with the same id is another', 'a tenant has one type and one status')
  }
  for (const [one, other] of pairs(principals, ({ id }) => id)) {
    const name = nameOf(one.name)
    if (everywhere(one) !== everywhere(other)) {
      report(other, `\`${name}\` is the same user with other global_roles`, 'they hold everywhere')
    } else if (one.tenant.id === other.tenant.id) {
      report(other, `\`${name}\` is the same user in the same tenant`, 'use one of the two')
    }
  }
}

function everywhere({ globalRoles }: Principal): string {
  return [...globalRoles].sort().join()
}

function pairs<T>(all: readonly T[], keyOf: (one: T) => string): readonly (readonly [T, T])[] {
  const first = new Map<string, T>()
  return all.flatMap(one => {
    const other = first.get(keyOf(one))
    if (other !== undefined) return [[other, one] as const]
    first.set(keyOf(one), one)
    return []
  })
}
