import type { Span } from '../errors/errors.js'
import type { Condition, ReadRules, Relation } from '../ir/formula.js'
import { deepFreeze } from '../ir/formula.js'
import type { Bundle, ColumnRule, Resource, Rule } from '../ir/model.js'
import { conditionMutants } from './condition-mutants.js'

/** A policy with one mistake in it, such as a person could make. */
export interface PolicyMutant {
  /** What was changed: `owner without delete`. */
  readonly name: string
  readonly span: Span | undefined
  /** The resources whose rules are changed; a rule of a trait is changed in all that use it. */
  readonly resources: readonly string[]
  readonly bundle: Bundle
}

/**
 * Every policy that differs by one change of one rule: the rule is gone, or one of its actions, or one part of its
 * condition is something else. Two changes that give the same policy are two mutants.
 */
export function policyMutants(bundle: Bundle): readonly PolicyMutant[] {
  return [...ruleMutants(bundle), ...columnRuleMutants(bundle), ...immutableMutants(bundle)]
}

/** Changes the rules of one place, null taking one away. */
type Change = (rule: Rule) => Rule | null

function ruleMutants(bundle: Bundle): readonly PolicyMutant[] {
  return places(bundle, ({ rules }) => rules).flatMap(({ one: rule, resources, isOne }) => {
    const { id, span } = rule
    return ruleChanges(rule).map(({ name, to }) => ({
      name: `${id} ${name}`,
      span,
      resources,
      bundle: mutated(bundle, resource => ({
        ...resource,
        rules: resource.rules.flatMap(other => (isOne(resource, other) ? (to(other) ?? []) : other))
      }))
    }))
  })
}

function ruleChanges(rule: Rule): readonly { readonly name: string; readonly to: Change }[] {
  const { actions, when, check } = rule
  const fewer = actions.length < 2 ? [] : actions
  const same = check === when
  return [
    { name: 'is gone', to: () => null },
    ...fewer.map(action => ({
      name: `without ${action}`,
      to: (one: Rule) => ({ ...one, actions: one.actions.filter(other => other !== action) })
    })),
    ...conditionMutants(when).map(({ name, apply }) => ({
      name: `with ${name}`,
      to: (one: Rule) => {
        const changed = apply(one.when)
        return { ...one, when: changed, check: same ? changed : one.check }
      }
    })),
    ...(same ? [] : conditionMutants(check)).map(({ name, apply }) => ({
      name: `with ${name} in its check`,
      to: (one: Rule) => ({ ...one, check: apply(one.check) })
    }))
  ]
}

function columnRuleMutants(bundle: Bundle): readonly PolicyMutant[] {
  return places(bundle, ({ columnRules }) => columnRules).flatMap(({ one, resources, isOne }) => {
    const { columns, when, span } = one
    const changes: readonly {
      readonly name: string
      readonly to: (rule: ColumnRule) => ColumnRule | null
    }[] = [
      { name: 'is gone', to: () => null },
      ...(columns.length < 2 ? [] : columns).map(column => ({
        name: `without ${column}`,
        to: (rule: ColumnRule) => ({ ...rule, columns: rule.columns.filter(other => other !== column) })
      })),
      ...conditionMutants(when).map(({ name, apply }) => ({
        name: `with ${name}`,
        to: (rule: ColumnRule) => ({ ...rule, when: apply(rule.when) })
      }))
    ]
    return changes.map(({ name, to }) => ({
      name: `the column rule of ${columns.join(', ')} ${name}`,
      span,
      resources,
      bundle: mutated(bundle, resource => ({
        ...resource,
        columnRules: resource.columnRules.flatMap(other =>
          isOne(resource, other) ? (to(other) ?? []) : other
        )
      }))
    }))
  })
}

function immutableMutants(bundle: Bundle): readonly PolicyMutant[] {
  const columns = new Set(bundle.resources.flatMap(({ immutable }) => immutable))
  return [...columns].map(column => {
    const having = bundle.resources.filter(({ immutable }) => immutable.includes(column))
    return {
      name: `${column} is not immutable`,
      span: having[0]?.span,
      resources: having.map(({ name }) => name),
      bundle: mutated(bundle, resource => ({
        ...resource,
        immutable: resource.immutable.filter(other => other !== column)
      }))
    }
  })
}

interface Place<T> {
  readonly one: T
  readonly resources: readonly string[]
  readonly isOne: (resource: Resource, other: T) => boolean
}

/** What stands at one place of the files, and the resources that have it from there. */
function places<T extends { readonly span?: Span }>(
  { resources }: Bundle,
  of: (resource: Resource) => readonly T[]
): readonly Place<T>[] {
  const found = new Map<string, Place<T>>()
  for (const resource of resources) {
    for (const one of of(resource)) {
      const key = placeKey(one.span)
      const known = key === null ? undefined : found.get(key)
      const names = [...(known?.resources ?? []), resource.name]
      // without a place a rule is that of its resource alone
      const isOne = (owner: Resource, other: T) =>
        key === null ? owner.name === resource.name && other === one : placeKey(other.span) === key
      found.set(key ?? `${resource.name} ${found.size}`, { one: known?.one ?? one, resources: names, isOne })
    }
  }
  return [...found.values()]
}

function placeKey(span: Span | undefined): string | null {
  return span === undefined ? null : `${span.file}:${span.line}:${span.column}`
}

/** A bundle with other resources. Relations say anew who may read the related rows. */
function mutated(bundle: Bundle, change: (resource: Resource) => Resource): Bundle {
  const changed = bundle.resources.map(change)
  const relinked = changed.map(resource => {
    const relations = new Map(
      resource.relations.map(one => [one.name, { ...one, readable: readableIn(bundle, changed, one) }])
    )
    const link = (condition: Condition) => linked(condition, relations)
    return {
      ...resource,
      relations: [...relations.values()],
      rules: resource.rules.map(rule => {
        const when = link(rule.when)
        // what is not written stays what it is not
        return { ...rule, when, check: rule.check === rule.when ? when : link(rule.check) }
      }),
      columnRules: resource.columnRules.map(rule => ({ ...rule, when: link(rule.when) }))
    }
  })
  return deepFreeze({ ...bundle, resources: relinked })
}

/** The read rules of the resource to which a relation leads, as they are now. */
function readableIn(before: Bundle, changed: readonly Resource[], { readable }: Relation): ReadRules | null {
  if (readable === null) return null
  const target = before.resources.findIndex(resource => {
    const { allow, forbid } = readRules(resource)
    return sameList(allow, readable.allow) && sameList(forbid, readable.forbid)
  })
  const now = changed[target]
  return now === undefined ? readable : readRules(now)
}

function readRules({ rules }: Resource): ReadRules {
  const of = (effect: Rule['effect']) =>
    rules.filter(rule => rule.effect === effect && rule.actions.includes('read')).map(({ when }) => when)
  return { allow: of('allow'), forbid: of('forbid') }
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i])
}

function linked(condition: Condition, relations: ReadonlyMap<string, Relation>): Condition {
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return condition
    case 'and':
    case 'or':
      return { ...condition, of: condition.of.map(part => linked(part, relations)) }
    case 'not':
      return { ...condition, of: linked(condition.of, relations) }
    case 'exists': {
      const relation = relations.get(condition.relation.name) ?? condition.relation
      return { ...condition, relation, of: linked(condition.of, relations) }
    }
  }
}
