import { objectKey } from '../backends/sql/object.js'
import type { PlanObject } from './plan-object.js'

/**
 * What has to be dropped before it can be made again: functions that return something else or take other parameters,
 * which CREATE OR REPLACE refuses or makes a second function of; and what PostgreSQL lets depend on them. By key, each
 * after what it needs.
 */
export function replacedBy(
  before: readonly PlanObject[],
  after: readonly PlanObject[]
): ReadonlyMap<string, PlanObject> {
  const functions = after.filter(({ kind }) => kind === 'function')
  const wanted = new Map(functions.map(object => [objectKey(object), object]))
  const names = new Set(functions.map(({ name }) => bareName(name)))
  const replaced = new Map<string, PlanObject>()
  for (const object of before) {
    const key = objectKey(object)
    const next = wanted.get(key)
    const isOther =
      object.kind === 'function' &&
      // of another signature: the calls that stay would mean either of the two
      (next === undefined ? names.has(bareName(object.name)) : headOf(next) !== headOf(object))
    if (isOther || dependsOn(object, replaced)) replaced.set(key, object)
  }
  return replaced
}

/** `name` of `"twinrule"."name"(types)`. */
export function bareName(name: string): string {
  return /"(\w+)"\(/.exec(name)?.[1] ?? name
}

/** The parameters with their names and defaults, and what the function returns. */
function headOf({ up }: PlanObject): string {
  return up.slice(0, up.indexOf('\n  LANGUAGE '))
}

/** Policies, triggers and functions whose body is an expression are bound to the functions that they call. */
function dependsOn({ kind, up }: PlanObject, replaced: ReadonlyMap<string, PlanObject>): boolean {
  const isBound =
    kind === 'policy' || kind === 'trigger' || (kind === 'function' && up.includes('\n  LANGUAGE sql '))
  if (!isBound) return false
  return [...replaced.values()].some(({ kind: of, name }) => {
    const bare = bareName(name)
    return of === 'function' && (up.includes(`.${bare}(`) || up.includes(`."${bare}"(`))
  })
}
