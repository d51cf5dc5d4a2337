import { createMongoAbility, type MongoAbility } from '@casl/ability'
import fc from 'fast-check'
import { caslRules } from '../../src/backends/casl.js'
import type { Related, Values } from '../../src/ir/evaluate.js'
import { columnBar, type Gate, gateOpen, gatesOf } from '../../src/ir/gates.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import type { Type } from '../../src/ir/types.js'
import type { Value } from '../../src/ir/values.js'
import { CHANGES } from '../../src/prove/changes.js'
import { inRole, permits as permitted } from '../../src/prove/guard-permits.js'
import type { EmittedRule } from '../../src/prove/portable.js'
import type { ColumnGuard } from '../../src/prove/read-guard.js'
import { sqlTruth } from '../../src/prove/sql-eval.js'
import type { SqlExpression } from '../../src/prove/sql-expression.js'

/** Mutants that mean the same as what they were made of, by what they change, and why that is so. */
const EQUIVALENTS: readonly { readonly mutant: RegExp; readonly why: string }[] = [
  { mutant: /^SQL .* @> becomes = ANY$/, why: 'of one value, both are true exactly when it is in the set' },
  {
    mutant: /^SQL .* using: open /,
    why: 'the half that only narrows lets more through, and the guard behind it is the whole policy'
  },
  {
    mutant: /^SQL note twinrule_notes_delete_auditor using: guard drop part 1 of and$/,
    why: 'whoever is no auditor may delete these rows by another rule'
  },
  {
    mutant:
      /^SQL page twinrule_pages_insert(_auditor)? check: (drop part 1 of and|1\. null test becomes true)$/,
    why: "a share with the principal's own id is demanded too, and NULL equals nothing"
  },
  { mutant: /^trigger .* trigger: no WHEN$/, why: 'the function asks again what has changed' },
  {
    mutant: /^trigger .* function: (step 1 (dropped|raises)|the first two steps exchanged)$/,
    why: 'it is about those for whom row-level security is not active, of whom nothing is proved'
  },
  {
    mutant: /^trigger agent function: step 2: drop part 2 of and$/,
    why: 'it lets soft_delete() do its work, as a role that no application is in'
  },
  {
    mutant: /^trigger agent function: step 4: drop part 1 of and$/,
    why: 'whoever may change the one column that is left may change these as well'
  },
  {
    mutant: /^trigger file function: step 3: 2\. IS NOT TRUE becomes NOT$/,
    why: 'the rule is an EXISTS, which is never NULL'
  },
  {
    mutant: /^trigger paper function: step 3: drop part 1 of and$/,
    why: 'WHEN and the step before let no other change come as far as that'
  },
  {
    mutant: /^trigger paper function: step 3: 2\. 2\. 2\. 2\. EXISTS drop part 1 of and$/,
    why: 'whoever did not enter the role is denied beside it'
  },
  { mutant: /^CASL .* \$in becomes \$eq of its first value$/, why: '`$in` of one value is `$eq`' },
  { mutant: /^CASL .* \$all becomes \$in$/, why: 'of one value, both ask whether it is in the set' },
  { mutant: /^CASL .* \$in becomes \$all$/, why: 'of one value on a scalar, both are equality' },
  {
    mutant: /^CASL agent .* (\$in also null|\$nin without null)$/,
    why: 'the column is declared NOT NULL, so no row holds null there'
  },
  { mutant: /^CASL part .* size \$in also null$/, why: 'the column is declared NOT NULL' },
  {
    mutant: /^CASL note read tenant_id \$nin null alone$/,
    why: "the tenant's own rows are readable by another rule"
  }
]

/** Why a mutant may survive, or null when nobody has said. */
export function reasonFor(mutant: string): string | null {
  return EQUIVALENTS.find(one => one.mutant.test(mutant))?.why ?? null
}

/** A changed clause of a role's policy. */
export interface ChangedClause {
  readonly after: SqlExpression
  readonly role: string
  readonly gate: Gate
}

/**
 * Whether a changed clause decides otherwise than the rules in some of many random cases, of other values than those
 * of the models: a check on the proof by other means.
 */
export function clauseDiffers(
  bundle: Bundle,
  resource: Resource,
  { after, role, gate }: ChangedClause
): boolean {
  const is = sqlTruth(after)
  const flags = bundle.principal.filter(attribute => attribute.role !== undefined)
  return casesOf(bundle, resource, 4_000).some(([principal, row]) => {
    const expected = gateOpen(resource, gate, { principal, row, now: 5 })
    const allowed = is(principal, row, 5) === true
    const madeFor = flags.every(flag => (principal[flag.name] === true) === (flag.role === role))
    return allowed ? !expected : expected && madeFor
  })
}

/** Whether changed triggers decide otherwise than the column rules in some of many random cases. */
export function guardDiffers(bundle: Bundle, resource: Resource, guard: ColumnGuard): boolean {
  const flags = bundle.principal.filter(attribute => attribute.role !== undefined)
  const names = resource.columns.map(({ name }) => name)
  return ['twinrule_app', ...flags.map(({ role }) => role ?? '')].some(role => {
    const permits = sqlTruth(inRole(permitted(guard), role))
    return casesOf(bundle, resource, 4_000).some(([principal, row], i) => {
      const changed = names.filter((_, j) => (i >> j) % 2 === 1)
      const expected = columnBar(resource, changed, { principal, row, now: 5 }) === null
      const changes = { [CHANGES.name]: changed.map(name => ({ name })) }
      const allowed = permits(principal, { ...row, ...changes }, 5) === true
      const madeFor = flags.every(flag => (principal[flag.name] === true) === (flag.role === role))
      return allowed ? !expected : expected && madeFor
    })
  })
}

/** Whether changed portable rules decide otherwise than the rules in some of many random cases. */
export function rulesDiffer(
  bundle: Bundle,
  resource: Resource,
  change: (rules: readonly EmittedRule[]) => readonly EmittedRule[]
): boolean {
  const rows = casesOf(bundle, resource, 60).map(([, row]) => row)
  return casesOf(bundle, resource, 60).some(([principal]) => {
    const rules = change(caslRules(bundle, principal, 5) as unknown as readonly EmittedRule[])
    const ability: MongoAbility = createMongoAbility(rules as unknown as MongoAbility['rules'], {
      detectSubjectType: () => resource.name
    })
    return rows.some(row =>
      gatesOf(bundle).some(
        gate => ability.can(gate, row) !== gateOpen(resource, gate, { principal, row, now: 5 })
      )
    )
  })
}

/** Random principals and rows of canonical values. */
export function casesOf(bundle: Bundle, resource: Resource, howMany: number): readonly [Values, Values][] {
  const both = fc.tuple(recordOf(bundle.principal), rowOf(resource))
  return fc.sample(both, { seed: 1, numRuns: howMany })
}

/** A row with the related rows of each relation. Their key is never null: they belong to the row. */
function rowOf({ columns, relations }: Resource): fc.Arbitrary<Values> {
  const lists = relations.map(({ name, columns: related, remote }) => {
    const one = recordOf(
      related.map(column => (column.name === remote ? { ...column, nullable: false } : column))
    )
    return [name, fc.array(one, { maxLength: 3 })]
  })
  return fc
    .tuple(recordOf(columns), fc.record(Object.fromEntries(lists) as Record<string, fc.Arbitrary<Related[]>>))
    .map(([row, related]) => ({ ...row, ...related }))
}

interface Declared {
  readonly name: string
  readonly type: Type
  readonly nullable?: boolean
}

function recordOf(declared: readonly Declared[]): fc.Arbitrary<Related> {
  const fields = declared.map(({ name, type, nullable }) => [
    name,
    nullable === false ? anyOf(type) : fc.option(anyOf(type), { freq: 4 })
  ])
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<Value>>)
}

function anyOf(type: Type): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'set':
      return fc.array(fc.option(anyOf(type.of), { freq: 5 }), { maxLength: 4 }) as fc.Arbitrary<Value>
    case 'uuid':
      return fc.constantFrom('a', 'b', 'c').map(end => `10000000-0000-4000-8000-00000000000${end}`)
    case 'text':
      return fc.constantFrom('editor', 'x', '')
    case 'bool':
      return fc.boolean()
    case 'enum':
      return fc.constantFrom(...type.labels)
    case 'int':
    case 'date':
    case 'timestamptz':
      return fc.constantFrom(-1, 0, 1, 5, 9, 10, 11)
  }
}
