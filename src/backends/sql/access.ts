import { createHash } from 'node:crypto'
import type { Bundle } from '../../ir/model.js'
import { canAccessFunction } from './can-access.js'
import { catalogChecks, leftoverObject } from './checks.js'
import { guardFunctions, guardObjects } from './column-guards.js'
import { contextFunctions, contextObjects } from './context.js'
import { factsFunctions, factsObjects } from './facts.js'
import { comment, type Fragment, join } from './fragment.js'
import { functionObject } from './function.js'
import { stamped } from './generated.js'
import { grantColumnsFunction } from './grants.js'
import { limitObjects } from './limits.js'
import { listerObjects } from './lister.js'
import type { SqlObject } from './object.js'
import { partitionChecks } from './partitions.js'
import { tableObjects } from './policies.js'
import { forgetRelated, relatedObjects } from './related.js'
import { readingRoles, roleObjects, writerRoles } from './roles.js'
import { callersObject, stateRow, stateTable, verifiedTable } from './state.js'
import { tenancyFunctions, tenancyObjects } from './tenancy.js'
import { guardObject, guardPause, unprotectedFunctions } from './unprotected.js'
import { writeFunctions } from './write-functions.js'
import { writerObjects, writerReads } from './writers.js'

/** Every function that is generated for a policy, in the order in which they refer to each other. */
function functionSpecs(bundle: Bundle) {
  return [
    ...contextFunctions(bundle),
    ...tenancyFunctions(bundle),
    ...factsFunctions(bundle),
    canAccessFunction(bundle),
    ...writeFunctions(bundle),
    grantColumnsFunction(),
    ...unprotectedFunctions(bundle),
    ...bundle.resources.flatMap(resource => guardFunctions(resource, bundle))
  ]
}

/**
 * Everything generated from a policy, in the order in which it is applied: what must be there, roles and schema,
 * functions, tables, what is no longer wanted. The last object records the revision and a hash of all the others.
 */
export function accessObjects(bundle: Bundle): readonly SqlObject[] {
  const specs = functionSpecs(bundle)
  const objects = [
    guardPause(),
    ...catalogChecks(bundle),
    ...partitionChecks(bundle),
    ...roleObjects(bundle),
    ...limitObjects(bundle),
    stateTable(),
    verifiedTable(),
    forgetRelated(bundle, relatedReaders(bundle)),
    ...tenancyObjects(bundle),
    ...contextObjects(bundle),
    callersObject(),
    ...specs.map(functionObject),
    ...bundle.resources.flatMap(resource => [
      ...tableObjects(resource, bundle),
      ...listerObjects(resource),
      ...guardObjects(resource),
      ...factsObjects(resource),
      ...writerObjects(resource, bundle)
    ]),
    ...writerReads(bundle),
    ...relatedObjects(bundle, relatedReaders(bundle)),
    guardObject()
  ]
  const wanted = [...objects, leftoverObject(bundle, specs, objects)]
  return [...wanted, stateRow(bundle, hashOf(wanted))]
}

/** In whose statements policies ask for related rows. */
function relatedReaders(bundle: Bundle): readonly string[] {
  return [...readingRoles(bundle), ...writerRoles(bundle)]
}

/** SHA-256 (hex) of everything generated from a policy, as `twinrule.state` records it. */
export function accessHash(bundle: Bundle): string {
  return hashOf(accessObjects(bundle).slice(0, -1))
}

function hashOf(objects: readonly SqlObject[]): string {
  const hash = createHash('sha256')
  for (const { up, down } of objects) hash.update(`${up}\n${down}\n`)
  return hash.digest('hex')
}

/** The generated part as one migration file: the same policy gives the same bytes. */
export function accessMigration(bundle: Bundle): string {
  const header = [
    comment(
      'Do not edit: change the policy and run `twinrule compile policies --target sql --out migrations/access.sql`.'
    ),
    comment('`twinrule migrate` applies it after the numbered migrations, again whenever it has changed.')
  ]
  const { up, down } = accessSql(bundle)
  const body = `${join(header, '\n')}\n\n-- Up Migration\n\n${up}\n\n-- Down Migration\n\n${down}\n`
  return stamped(`from the policy of revision ${bundle.revision}`, body)
}

/** The two directions of the generated part. */
export function accessSql(bundle: Bundle): { up: string; down: string } {
  const objects = accessObjects(bundle)
  const ups = objects.map(({ up }) => up)
  const downs = objects.map(({ down }) => down).reverse()
  return { up: String(join(filled(ups), '\n\n')), down: String(join(filled(downs), '\n\n')) }
}

function filled(parts: readonly Fragment[]): readonly Fragment[] {
  return parts.filter(part => String(part) !== '')
}
