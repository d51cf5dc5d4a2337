import { gateDemands, gateForm } from '../../ir/gates.js'
import type { Resource } from '../../ir/model.js'
import { and, type Nnf, or } from '../../ir/normal-form.js'
import { expression, readsRow } from './expression.js'
import { type Fragment, join, sql } from './fragment.js'
import { guarded } from './guarded.js'
import { demandsIn, partFormIn, type RoleView, readableFor } from './policies.js'
import { tableRow } from './terms.js'

/** More than these cost more than they save, so what is left is one arm with an OR. */
const MOST_ARMS = 8

/**
 * The read gate of a role cut into arms: a row may be read exactly when one of them is true. Each is an alternative of an
 * allow rule, with everything that must hold beside it, so that each finds its rows by an index of its own.
 */
export function listArms(resource: Resource, view: RoleView): readonly Nnf[] {
  const partForm = partFormIn(view)
  const demands = demandsIn(view, gateForm(resource, 'read', partForm))
  const allows = gateDemands(resource, 'read').flatMap(one => one.allows)
  const alternatives = partsOf(or(alternativesOf(partForm(allows, 'when'))))
  const [few, rest] = [alternatives.slice(0, MOST_ARMS - 1), alternatives.slice(MOST_ARMS - 1)]
  return [...few, or(rest)]
    .map(arm => and([gateForm(resource, 'read', () => arm), ...demands]))
    .filter(arm => arm.kind !== 'const' || arm.value)
}

/** A form as alternatives; one that has too many stays as it is. */
function alternativesOf(form: Nnf): readonly Nnf[] {
  if (form.kind === 'or') return form.of.flatMap(alternativesOf)
  if (form.kind !== 'and') return [form]
  const parts = form.of.map(alternativesOf)
  if (parts.reduce((product, { length }) => product * length, 1) > MOST_ARMS) return [form]
  return parts.reduce<readonly Nnf[]>(
    (sofar, part) => sofar.flatMap(one => part.map(other => and([one, other]))),
    [and([])]
  )
}

function partsOf(form: Nnf): readonly Nnf[] {
  return form.kind === 'or' ? form.of : [form]
}

/**
 * An arm as the condition of a query. What is about the principal alone is asked once a statement, before any row.
 *
 * safety: it reads what the settings claim of user and tenant, so it is no lock: row-level security decides what is seen
 */
export function armSql(arm: Nnf, resource: Resource, view: RoleView): Fragment {
  const row = tableRow(resource.table ?? resource.name, { readable: readableFor(view), entered: view.flag })
  const parts = arm.kind === 'and' ? arm.of : [arm]
  const principal = guarded(and(parts.filter(part => !readsRow(part))), 4, row)
  const own = parts.filter(readsRow).map(part => {
    const text = expression(part, 6, { ...row, principal: 'either' })
    return part.kind === 'or' || part.kind === 'and' ? sql`(${text})` : text
  })
  return join([principal, ...own], ' AND ')
}
