import { objectKey, type SqlObject } from '../backends/sql/object.js'
import { leaveRole } from '../backends/sql/roles.js'
import { forgetCallers } from '../backends/sql/state.js'
import type { PlanObject } from './plan-object.js'
import { type Changes, type Leftover, repairsFor } from './repairs.js'
import { bareName, replacedBy } from './replaced.js'

/**
 * Why a step is taken. `repaired`: the database does not hold what the last migration left. `with`: another step takes
 * back what this one gives. `leftover`: the object is in the database and in no policy; the check at the end drops it.
 */
export type Cause = 'added' | 'changed' | 'removed' | 'repaired' | 'with' | 'leftover' | 'again' | 'always'

/** One thing that a migration does. */
export interface PlanStep {
  readonly kind: SqlObject['kind']
  readonly name: string
  readonly table: string | null
  readonly cause: Cause
  /** What is run. Nothing for a leftover, and for the row-level security of a table that leaves the policy. */
  readonly sql: string
}

/** What a plan is made from. */
export interface PlanInput {
  /** What is there; null when nobody knows, and then everything is applied. */
  readonly before: readonly PlanObject[] | null
  readonly after: readonly PlanObject[]
  /** Apply everything, whatever has changed. */
  readonly whole?: boolean
  /** What was changed by hand since. Null when nobody can say, and then everything is applied. */
  readonly changes?: Changes | null
}

/**
 * The steps from one state to another, in the order in which they must run: what revokes; what is new, has changed or
 * was changed by hand, each after what it needs; what is gone, each before what it needed. A table whose row-level
 * security is no longer wanted keeps it: a table that leaves the policy stays closed.
 */
export function planSteps({ before, after, whole = false, changes }: PlanInput): readonly PlanStep[] {
  const repair = changes === undefined ? NOTHING : changes === null ? null : repairsFor(after, changes)
  const everything = before === null || repair === null || whole
  const known = new Map((before ?? []).map(object => [objectKey(object), object]))
  const wanted = new Set(after.map(objectKey))
  const gone = [...known.values()].filter(
    object => object.applies === undefined && !wanted.has(objectKey(object))
  )
  const causes = new Map<string, Cause>()
  for (const object of after) {
    const key = objectKey(object)
    const cause = causeOf(object, known.get(key), repair?.keys)
    if (object.applies !== 'always' && everything) causes.set(key, cause ?? 'again')
    else if (cause !== null) causes.set(key, cause)
  }
  const replaced = replacedBy(before ?? [], after)
  for (const object of after) {
    const key = objectKey(object)
    if (replaced.has(key) && !causes.has(key)) causes.set(key, 'with')
  }
  addFollowers(after, gone, causes)
  const leftovers = (repair ?? NOTHING).leftovers.filter(one => !gone.some(object => isSame(object, one)))
  return inOrder(after, gone, causes, { leftovers, replaced: [...replaced.values()] })
}

/** The steps that remove everything, each object before what it needed. */
export function undoSteps(objects: readonly PlanObject[]): readonly PlanStep[] {
  return objects
    .filter(({ down }) => down !== '')
    .toReversed()
    .map(object => step({ ...object, up: object.down }, 'removed'))
}

/** The tables that the steps lock against everyone, in one order for all. Grants take no lock. */
export function lockedTables(steps: readonly PlanStep[]): readonly string[] {
  const locking = steps.filter(
    ({ kind, cause }) => cause !== 'always' && (kind === 'policy' || kind === 'rls' || kind === 'trigger')
  )
  const tables = locking.flatMap(({ kind, name, table }) => table ?? (kind === 'rls' ? name : []))
  return [...new Set(tables)].sort()
}

function causeOf(
  object: PlanObject,
  old: PlanObject | undefined,
  repaired?: ReadonlySet<string>
): Cause | null {
  if (object.applies !== undefined) return null
  if (old === undefined) return 'added'
  if (old.up !== object.up) return 'changed'
  return repaired?.has(objectKey(object)) === true ? 'repaired' : null
}

/**
 * One grant on a table begins by taking back all, so every grant on it is given again; and so is what a function gave
 * that has changed.
 */
function addFollowers(
  after: readonly PlanObject[],
  gone: readonly PlanObject[],
  causes: Map<string, Cause>
): void {
  const taking = [...gone, ...after.filter(object => causes.has(objectKey(object)))]
  const tables = new Set(
    taking.flatMap(({ kind, table, revokes = [] }) =>
      kind === 'grant' && table !== null ? [table, ...revokes] : revokes
    )
  )
  const calls = taking.flatMap(({ kind, name }) => (kind === 'function' ? `.${bareName(name)}(` : []))
  for (const object of after) {
    const key = objectKey(object)
    const { kind, table, up } = object
    if (kind !== 'grant' || table === null || causes.has(key)) continue
    if (tables.has(table) || calls.some(call => up.includes(call))) causes.set(key, 'with')
  }
}

/** What goes when it is not wanted any more. */
const GOING: readonly SqlObject['kind'][] = ['policy', 'rls', 'trigger', 'function', 'grant', 'role']

function inOrder(
  after: readonly PlanObject[],
  gone: readonly PlanObject[],
  causes: ReadonlyMap<string, Cause>,
  { leftovers, replaced }: { leftovers: readonly Leftover[]; replaced: readonly PlanObject[] }
): readonly PlanStep[] {
  const first = new Set(replaced.map(objectKey))
  const going = gone.filter(object => GOING.includes(object.kind) && !first.has(objectKey(object)))
  const removed = (object: PlanObject) => step({ ...object, up: removal(object) }, 'removed')
  const functions = after.filter(object => object.kind === 'function' && causes.has(objectKey(object)))
  const body = after.flatMap((object): readonly PlanStep[] => {
    const cause = causes.get(objectKey(object))
    if (cause !== undefined) return [step(object, cause)]
    if (object.applies !== 'whole' || functions.length === 0) return []
    return [step({ ...object, up: String(forgetCallers(functions)) }, 'with')]
  })
  const guards = (part: readonly PlanObject[]) =>
    part.filter(({ applies }) => applies === 'always').map(object => step(object, 'always'))
  const start = after.findIndex(({ applies }) => applies !== 'always')
  return [
    ...guards(after.slice(0, start)),
    ...going.filter(({ kind }) => kind === 'grant').map(removed),
    ...replaced.toReversed().map(removed),
    ...body,
    ...going
      .filter(({ kind }) => kind !== 'grant')
      .toReversed()
      .map(removed),
    ...leftovers.map(leftover),
    ...guards(after.slice(start))
  ]
}

function removal({ kind, name, down }: PlanObject): string {
  // safety: a table that leaves the policy stays closed
  if (kind === 'rls') return ''
  // a membership ends with its role, and has no way down of its own
  return kind === 'role' && down !== '' ? String(leaveRole(name)) : down
}

function step({ kind, name, table, up }: PlanObject, cause: Cause): PlanStep {
  return { kind, name, table, cause, sql: up }
}

function leftover({ kind, name, table }: Leftover): PlanStep {
  return { kind, name, table, cause: 'leftover', sql: '' }
}

function isSame(object: PlanObject, { kind, table, name }: Leftover): boolean {
  return object.kind === kind && object.table === table && object.name.replaceAll('"', '') === name
}

const NOTHING = { keys: new Set<string>(), leftovers: [] }
