import { TENANCY_POLICIES } from '../backends/sql/tenancy.js'
import type { DriftFinding } from './finding.js'

/** What holds rows back from applications, and what makes that fast: no decision reads any of it. */
const ROW_LOCK: readonly DriftFinding['kind'][] = [
  'policy',
  'table',
  'grants',
  'trigger',
  'rule',
  'event trigger',
  'index',
  'constraint',
  'open relation',
  'open function',
  // that the record is wrong says nothing of the objects, which are compared by themselves
  'record',
  // the facts bring their revision with them
  'revision'
]

/**
 * Whether a finding is about what decisions are made from: the functions that read the facts, their roles, the
 * tenancy tables.
 *
 * safety: everything that is not known to be the lock on rows alone counts
 */
export function touchesDecisions({ kind, object, severity }: DriftFinding): boolean {
  if (severity === 'warning') return false
  if (!ROW_LOCK.includes(kind)) return true
  const relation = object.split(' ON ').at(-1) ?? object
  const tenancy = TENANCY_POLICIES.some(({ table }) => relation === `public.${table}`)
  const facts = kind === 'policy' && / ON /.test(object) && (object.split(' ON ')[0] ?? '').endsWith('_facts')
  return tenancy || facts || /^(?:twinrule\.|schema )/.test(relation)
}
