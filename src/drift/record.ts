import { plainRelations } from '../backends/sql/related.js'
import { managedRoles } from '../backends/sql/roles.js'
import type { Catalog } from '../db/catalog/item.js'
import type { Bundle } from '../ir/model.js'
import { differencesOf, type Reading } from './differences.js'
import type { Expected } from './expected.js'
import type { DriftFinding } from './finding.js'
import { byKey, compiledItems, keyOf, type Sources, wantedOf } from './wanted.js'

const HINT =
  'run `twinrule migrate --database URL` as a superuser, which makes everything as compiled and writes it down anew'

function finding(object: string, said: Pick<DriftFinding, 'message' | 'expected' | 'found'>): DriftFinding {
  const base = { code: 'TWR_DRIFT_RECORD', severity: 'error', kind: 'record', hint: HINT } as const
  return { ...base, object, property: null, counterexample: null, ...said }
}

/** There is no record, or one of another version of twinrule. */
export function withoutRecord(there: boolean): DriftFinding {
  const message = there
    ? 'the record of the last migration is of another version of twinrule'
    : 'the database has no record of what its last migration left'
  return finding('twinrule.state', { message, expected: 'a record', found: there ? 'another form' : null })
}

/** The database says that it holds another revision. What the record has is compared all the same. */
export function otherRevision(bundle: Bundle, installed: string | null): DriftFinding {
  const found = installed === null ? null : `revision ${installed.slice(0, 12)}`
  return {
    ...finding('revision', {
      message: `the database holds ${found ?? 'no policies'}, the policy is revision ${bundle.revision.slice(0, 12)}`,
      expected: `revision ${bundle.revision.slice(0, 12)}`,
      found
    }),
    code: 'TWR_DRIFT_REVISION',
    kind: 'revision',
    hint: 'run `twinrule migrate --database URL` as a superuser, or compare with the policy files of that revision'
  }
}

/**
 * Where the record contradicts the compiled policy of its own revision.
 *
 * safety: whoever can write the record could otherwise make a change by hand look like what was migrated
 */
export function recordFindings(
  { bundle, expected, record }: Omit<Sources, 'live'> & { expected: Expected; record: Catalog },
  reading: Reading
): readonly DriftFinding[] {
  const recorded = byKey(record.items)
  // the record must fit by itself, whatever became of the database since
  const wanted = wantedOf({ bundle, expected, record, live: record })
  const compiled = compiledItems(bundle, expected)
  const grants = [...wanted.values()].filter(({ kind }) => kind === 'grants')
  const said = [...compiled.map(item => wanted.get(keyOf(item)) ?? item), ...grants]
  const must = new Map(said.map(item => [keyOf(item), item]))
  const wrong = differencesOf(must, recorded, reading).flatMap(one =>
    one.what === 'extra' ? [] : [one.wanted]
  )
  const odd = record.items.filter(item => !wanted.has(keyOf(item)))
  return [...wrong, ...odd].map(({ kind, name }) =>
    finding(`${kind} ${name}`, {
      message: `the record of the last migration says something else of ${kind} ${name} than the policy`,
      expected: 'what the policy compiles to',
      found: 'something else'
    })
  )
}

/**
 * Tables that roles of twinrule could alter, whatever the record says.
 * safety: an owner takes row-level security off with one statement
 */
export function ownedByOurs(bundle: Bundle, live: Catalog): readonly DriftFinding[] {
  const roles = managedRoles(bundle)
  return live.items.flatMap(({ kind, name, facts }) => {
    const owner = String(facts['owner'])
    if (kind !== 'table' || !name.startsWith('public.') || !roles.includes(owner)) return []
    const message = `${name} belongs to ${owner}, which could take its row-level security off`
    const said = finding(name, { message, expected: null, found: owner })
    const hint = `run ALTER TABLE ${name} OWNER TO somebody who runs no statements of applications`
    return [{ ...said, code: 'TWR_DRIFT_TABLE' as const, kind, property: 'owner', hint }]
  })
}

/** What applications reach without row-level security since before the last migration. */
export function openNotes(bundle: Bundle, live: Catalog, record: Catalog | null): readonly string[] {
  const known = byKey(record?.items ?? [])
  const plain = plainRelations(bundle).map(({ table }) => `public.${table}`)
  return live.items.flatMap(item => {
    const open = item.kind === 'open relation' || item.kind === 'open function'
    if (!open || !known.has(keyOf(item)) || plain.includes(item.name)) return []
    return [`applications reach ${item.name} outside of row-level security, since before the last migration`]
  })
}
