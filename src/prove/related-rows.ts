import type { Condition, Term } from '../ir/formula.js'
import type { Column, Resource } from '../ir/model.js'
import type { Quest } from './quest.js'

/**
 * The search among rows that nothing is related to: every `exists` is false. Each of these cases is a real one, so
 * what is found stands; that nothing is found says nothing.
 */
export function withoutRelated(quest: Quest): Quest {
  return mapped(quest, quest.resource, () => ({ kind: 'const', value: false }))
}

/**
 * The search in which the related rows of each row may make every `exists` true, false or unknown. These are more
 * cases than there are, so if nothing is found there is nothing; what is found may not be a real case.
 */
export function withAnyRelated(quest: Quest): Quest {
  const columns = new Map<string, Column>()
  const columnFor = (condition: Condition): Column => {
    // the same question about the same row has the same answer
    const text = JSON.stringify(condition, plain)
    const known = columns.get(text)
    if (known !== undefined) return known
    // a name that no column has
    const made: Column = { name: `exists ${columns.size}`, type: BOOL, nullable: true }
    columns.set(text, made)
    return made
  }
  const free = mapped(quest, quest.resource, condition => {
    const left: Term = { kind: 'column', name: columnFor(condition).name, type: BOOL }
    const right: Term = { kind: 'literal', value: true, type: BOOL }
    return { kind: 'atom', atom: { kind: 'eq', left, right } }
  })
  const resource = { ...free.resource, columns: [...free.resource.columns, ...columns.values()] }
  return { ...free, resource }
}

const BOOL = { kind: 'bool' } as const

/** JSON has no wide integers, nor infinity; where a condition stands does not matter. */
function plain(key: string, value: unknown): unknown {
  if (key === 'span') return undefined
  return typeof value === 'bigint' || typeof value === 'number' ? `number ${value}` : value
}

type Replace = (exists: Condition) => Condition

function mapped(quest: Quest, resource: Resource, replace: Replace): Quest {
  const map = (condition: Condition) => replaced(condition, replace)
  return {
    ...quest,
    when: map(quest.when),
    resource: {
      ...resource,
      rules: resource.rules.map(rule => ({ ...rule, when: map(rule.when), check: map(rule.check) })),
      columnRules: resource.columnRules.map(rule => ({ ...rule, when: map(rule.when) }))
    }
  }
}

function replaced(condition: Condition, replace: Replace): Condition {
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return condition
    case 'not':
      return { ...condition, of: replaced(condition.of, replace) }
    case 'and':
    case 'or':
      return { ...condition, of: condition.of.map(one => replaced(one, replace)) }
    case 'exists':
      return replace(condition)
  }
}
