import { gateDemands, questionsOf } from '../ir/gates.js'
import {
  ACTIONS,
  type Bundle,
  type ColumnRule,
  deletesByStatement,
  type Resource,
  type Rule
} from '../ir/model.js'
import { normalize } from '../ir/normal-form.js'
import { words } from './words.js'

/** A rule as a person says it. */
export interface SaidRule {
  readonly rule: string
  readonly words: string
}

/** One thing that an action needs: one of `allows`, and none of `forbids`. */
export interface SaidDemand {
  /** Which row is asked about, where there are two. */
  readonly row: string | null
  readonly allows: readonly SaidRule[]
  readonly forbids: readonly SaidRule[]
}

/** Who may do one thing. */
export interface SaidAction {
  readonly action: string
  readonly demands: readonly SaidDemand[]
  /** Other actions that the action needs too, of the same rows. */
  readonly also: readonly string[]
}

/** Who may change some columns. */
export interface SaidColumns extends Pick<ColumnRule, 'columns' | 'through'> {
  readonly words: string
}

/** Resources with the same rules, and who may do what with their rows. */
export interface SaidResources {
  readonly resources: readonly string[]
  readonly actions: readonly SaidAction[]
  readonly immutable: readonly string[]
  readonly softDelete: string | null
  /** Whether the database lets applications say DELETE. */
  readonly deletesByStatement: boolean
  readonly columnRules: readonly SaidColumns[]
}

/** Who may do what, in words, resources with the same rules together. */
export function matrixOf(bundle: Bundle): readonly SaidResources[] {
  const groups = new Map<string, { said: Omit<SaidResources, 'resources'>; resources: string[] }>()
  for (const resource of bundle.resources) {
    const said = saidOf(bundle, resource)
    const key = JSON.stringify(said)
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { said, resources: [resource.name] })
    else known.resources.push(resource.name)
  }
  return [...groups.values()].map(({ said, resources }) => ({ resources, ...said }))
}

function saidOf(bundle: Bundle, resource: Resource): Omit<SaidResources, 'resources'> {
  const added = bundle.actions.map(({ name }) => name)
  return {
    actions: [...ACTIONS, ...added].map(action => actionOf(bundle, resource, action)),
    // the column of a soft delete is one of those that no update changes
    immutable: resource.immutable.filter(name => name !== resource.softDelete),
    softDelete: resource.softDelete,
    deletesByStatement: deletesByStatement(resource),
    columnRules: resource.columnRules.map(({ columns, through, when }) => {
      return { columns, through, words: words(normalize(when)) }
    })
  }
}

function actionOf(bundle: Bundle, resource: Resource, action: string): SaidAction {
  const all = (questionsOf(bundle, action) ?? []).flatMap(({ gate, row }) =>
    gateDemands(resource, gate).map(demand => ({ ...demand, row }))
  )
  const own = all.filter(demand => demand.action === action)
  const demands = own.map(({ row, part, allows, forbids }) => ({
    row: own.length < 2 ? null : row === 'old' ? 'the row before' : 'the row after',
    allows: allows.map(rule => said(rule, part)),
    forbids: forbids.map(rule => said(rule, part))
  }))
  const [first, ...rest] = demands
  const same = first !== undefined && rest.every(one => textOf(one) === textOf(first))
  const also = new Set(all.map(demand => demand.action).filter(name => name !== action))
  return {
    action,
    demands: same && rest.length > 0 ? [{ ...first, row: 'the row before and after' }] : demands,
    also: [...also]
  }
}

function said(rule: Rule, part: 'when' | 'check'): SaidRule {
  return { rule: rule.id, words: words(normalize(rule[part])) }
}

function textOf({ allows, forbids }: SaidDemand): string {
  return JSON.stringify([allows, forbids])
}
