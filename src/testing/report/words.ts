import type { TestCase } from '../case.js'
import type { Fixtures } from '../fixtures.js'
import type { LockName } from '../lock.js'
import type { CaseResult } from '../run.js'

/** A title with what the test is about before it. */
export function fullTitle({ about, title }: TestCase): string {
  return about === null ? title : `${about}: ${title}`
}

/** `file:line:column`. */
export function placeOf({ span }: TestCase): string {
  return `${span.file}:${span.line}:${span.column}`
}

/** What each lock said, a line each. */
export function verdictLines({ verdicts }: CaseResult): readonly string[] {
  return [...verdicts].map(([name, { decision, detail }]) => {
    const said = decision === null ? 'not asked' : decision ? 'allow' : 'deny'
    return `${name}: ${said}, ${detail}`
  })
}

/** A text with the names of a file in place of the ids that they stand for. */
export function withNames({ tenants, principals, rows }: Fixtures, text: string): string {
  const all = [...tenants, ...principals, ...rows].filter(({ name }) => !name.includes('.'))
  return all.reduce((words, { id, name }) => (id === name ? words : words.replaceAll(`"${id}"`, name)), text)
}

/** `in process and rls`. */
export function lockList(locks: readonly LockName[]): string {
  const last = locks.at(-1) ?? ''
  return locks.length < 2 ? last : `${locks.slice(0, -1).join(', ')} and ${last}`
}
