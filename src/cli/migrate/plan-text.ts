import { id, sql } from '../../backends/sql/fragment.js'
import { stamped } from '../../backends/sql/generated.js'
import { createIndex, dropIndex } from '../../backends/sql/indexes.js'
import type { Plan } from '../../migrate/inspect.js'
import { LOCK_TIMEOUT_MS } from '../../migrate/locks.js'
import { lockedTables, type PlanStep } from '../../migrate/plan.js'
import { SEARCH_PATH } from '../../migrate/runner.js'
import { count } from '../problems.js'

/** A plan as SQL with comments: the way there, then the way back. */
export function planText(plan: Plan): string {
  if (!plan.due) return ''
  const { from, to, migrations } = plan
  const ways = [
    `-- Up: ${extentOf(plan)}`,
    transaction([
      ...plan.adopt.map(({ label, sql }) =>
        section(`${label}: adopted, so it comes back on the way down`, sql)
      ),
      ...migrations.map(({ name, up }) => section(`migration ${name}`, up)),
      ...generated(plan.up)
    ]),
    ...plan.indexes.map(index =>
      section(`index ${index.name}: unless one begins with ${index.column}`, String(createIndex(index, true)))
    ),
    `-- Down: back to ${from === null ? 'where there was none' : `revision ${from}`}`,
    transaction([
      ...generated(plan.down),
      ...plan.restore.map(({ label, sql }) => section(label, sql)),
      ...migrations.toReversed().map(({ name, down }) => section(`migration ${name}`, down))
    ]),
    // back to an earlier policy they stay: they do no harm, and others may have come to use them
    ...(from === null ? plan.indexes : []).map(({ name }) =>
      section(`index ${name}: removed`, String(dropIndex(name, true)))
    )
  ]
  const origin = `from ${from === null ? 'no revision' : `revision ${from}`} to revision ${to}`
  const head =
    '-- `twinrule migrate` runs the way up, and asks for the locks again and again where others hold a table.'
  return stamped(origin, `${head}\n\n${ways.join('\n\n')}\n`)
}

/** How much a plan does, in a few words. */
export function extentOf({ adopt, migrations, up, indexes, due }: Plan): string {
  if (!due) return 'nothing to do'
  const changed = up.filter(({ cause }) => cause !== 'always')
  const tables = lockedTables(up)
  const parts = [
    ...(adopt.length > 0 ? [`${count(adopt.length, 'policy', 'policies')} adopted`] : []),
    ...(migrations.length > 0 ? [count(migrations.length, 'migration')] : []),
    ...(changed.length > 0 ? [count(changed.length, 'object')] : []),
    ...(indexes.length > 0 ? [count(indexes.length, 'index', 'indexes')] : []),
    ...(tables.length > 0 ? [`locks ${tables.join(', ')}`] : [])
  ]
  return parts.length > 0 ? parts.join(', ') : 'nothing but what is written down'
}

function transaction(parts: readonly string[]): string {
  return ['BEGIN;', SEARCH_PATH, ...parts, 'COMMIT;'].join('\n\n')
}

/** The steps that change something, after the locks that they need; the checks by name. */
function generated(steps: readonly PlanStep[]): readonly string[] {
  const tables = lockedTables(steps).map(table => String(sql`public.${id(table)}`))
  const lock = [
    `SET LOCAL lock_timeout = '${LOCK_TIMEOUT_MS}ms';`,
    `LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE;`
  ]
  const always = steps.filter(({ cause }) => cause === 'always').map(({ name }) => name)
  return [
    ...(tables.length > 0 ? [lock.join('\n')] : []),
    ...steps.filter(({ cause }) => cause !== 'always').map(stepText),
    ...(always.length > 0 ? [`-- and as ever: ${always.join(', ')} (\`twinrule compile\` shows them)`] : [])
  ]
}

const CAUSES: Readonly<Record<PlanStep['cause'], string>> = {
  added: 'added',
  changed: 'changed',
  removed: 'removed',
  repaired: 'is not as the last migration left it',
  with: 'again, because another step takes it back',
  leftover: 'in no policy: it is dropped',
  again: 'again',
  always: ''
}

function stepText({ kind, name, table, cause, sql }: PlanStep): string {
  const place = table === null || name === table ? '' : ` on ${table}`
  const closed =
    kind === 'rls' && cause === 'removed' && sql === '' ? ': it stays, so the table is closed' : ''
  return section(`${kind} ${name}${place}: ${CAUSES[cause]}${closed}`, sql)
}

function section(title: string, text: string): string {
  return [`-- ${title.replaceAll(/[\r\n]+/g, ' ')}`, ...(text.trim() === '' ? [] : [text.trim()])].join('\n')
}
