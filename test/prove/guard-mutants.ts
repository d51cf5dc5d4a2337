import type { Bundle, Resource } from '../../src/ir/model.js'
import { guardRoles, guardSql, PRINCIPAL_FUNCTIONS } from '../../src/prove/emitted.js'
import { loadBodyParser } from '../../src/prove/plpgsql.js'
import { loadParser } from '../../src/prove/read-back.js'
import {
  type ColumnGuard,
  type ReadFunction,
  type ReadTrigger,
  readGuard
} from '../../src/prove/read-guard.js'
import { guardNames } from '../../src/prove/read-guard-condition.js'
import { expressionChanges, operandsOf } from './sql-mutants.js'

/** A change of what guards the columns of a table, and what it is called. */
export interface GuardMutant {
  readonly name: string
  readonly guard: ColumnGuard
}

/** What guards the columns of a resource's table, as its own SQL says it. */
export async function guardOf(resource: Resource, bundle: Bundle): Promise<ColumnGuard> {
  const parsers = { parse: await loadParser(), parseBody: await loadBodyParser() }
  const names = guardNames(resource, bundle, { roles: guardRoles(bundle), functions: PRINCIPAL_FUNCTIONS })
  return readGuard(guardSql(resource, bundle), resource.table ?? '', names, parsers)
}

/** Every single change of the trigger and its function. */
export function guardMutants(guard: ColumnGuard, resource: Resource, bundle: Bundle): readonly GuardMutant[] {
  const { triggers, functions } = guard
  const made: GuardMutant[] = [
    { name: 'no trigger', guard: { ...guard, triggers: [] } },
    { name: 'no function', guard: { ...guard, functions: [] } }
  ]
  for (const [i, trigger] of triggers.entries()) {
    for (const { name, to } of triggerChanges(trigger, resource, bundle)) {
      made.push({ name: `trigger: ${name}`, guard: { ...guard, triggers: triggers.with(i, to) } })
    }
  }
  for (const [i, one] of functions.entries()) {
    for (const { name, to } of functionChanges(one, resource, bundle)) {
      made.push({ name: `function: ${name}`, guard: { ...guard, functions: functions.with(i, to) } })
    }
  }
  return made
}

interface Change<T> {
  readonly name: string
  readonly to: T
}

function triggerChanges(
  trigger: ReadTrigger,
  resource: Resource,
  bundle: Bundle
): readonly Change<ReadTrigger>[] {
  const { when } = trigger
  return [
    ...['BEFORE', 'INSTEAD OF'].map(timing => ({
      name: `${timing} in place of AFTER`,
      to: { ...trigger, timing }
    })),
    ...['INSERT', 'DELETE', 'INSERT OR UPDATE'].map(events => ({
      name: `${events} in place of UPDATE`,
      to: { ...trigger, events }
    })),
    { name: 'after foreign keys', to: { ...trigger, name: trigger.name.replace('A_', '') } },
    { name: 'once a statement', to: { ...trigger, eachRow: false } },
    { name: 'another function', to: { ...trigger, runs: 'twinrule.other' } },
    { name: 'no WHEN', to: { ...trigger, when: null } },
    ...(when === null ? [] : expressionChanges(when, operandsOf(resource, bundle))).map(({ name, to }) => ({
      name: `WHEN ${name}`,
      to: { ...trigger, when: to }
    }))
  ]
}

function functionChanges(
  one: ReadFunction,
  resource: Resource,
  bundle: Bundle
): readonly Change<ReadFunction>[] {
  const { steps } = one
  return [
    { name: 'with the rights of its owner', to: { ...one, invoker: false } },
    { name: 'names looked for in public', to: { ...one, path: 'public, pg_catalog' } },
    {
      name: 'the first two steps exchanged',
      to: { ...one, steps: [...steps.slice(0, 2).reverse(), ...steps.slice(2)] }
    },
    ...steps.flatMap((step, i) => [
      { name: `step ${i + 1} dropped`, to: { ...one, steps: steps.filter((_, j) => j !== i) } },
      {
        name: `step ${i + 1} ${step.does === 'raise' ? 'returns' : 'raises'}`,
        to: {
          ...one,
          steps: steps.with(i, { ...step, does: step.does === 'raise' ? 'return' : 'raise' } as const)
        }
      },
      ...expressionChanges(step.if, operandsOf(resource, bundle)).map(({ name, to }) => ({
        name: `step ${i + 1}: ${name}`,
        to: { ...one, steps: steps.with(i, { ...step, if: to }) }
      }))
    ])
  ]
}
