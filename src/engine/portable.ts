import { Ability, type MongoQuery, mongoQueryMatcher } from '@casl/ability'
import { type CaslRule, caslRules } from '../backends/casl.js'
import type { Now } from '../backends/compiled.js'
import { RequestError } from '../errors/errors.js'
import type { Values } from '../ir/evaluate.js'
import { deepFreeze } from '../ir/formula.js'
import { type Bundle, resourceOf } from '../ir/model.js'
import { type Canonicalised, principalOf, rowOf } from './attributes.js'

/** A row in canonical form that knows its resource type; made by `engine.row`. */
export type AbilityRow = Values

/** CASL's types allow a bare type as well; it is answered with no. */
type Asked = [string, AbilityRow | string]

const typeOfRow = new WeakMap<object, string>()

/**
 * The portable rules of one principal behind stock CASL. It answers for rows of `engine.row` only: asked for a type
 * without a row, or for any other object, it says no, where stock CASL would say "for some row, perhaps".
 */
export class RowAbility extends Ability<Asked, MongoQuery> {
  /** The rules as plain data, to be packed for a browser. */
  readonly portableRules: readonly CaslRule[]

  constructor(rules: readonly CaslRule[]) {
    super(rules as unknown as ConstructorParameters<typeof Ability<Asked, MongoQuery>>[0], {
      conditionsMatcher: mongoQueryMatcher,
      // safety: the type is the one that the row was made for, never a property of it
      detectSubjectType: row => typeOfRow.get(row as object) ?? 'no row of engine.row'
    })
    this.portableRules = rules
  }

  override relevantRuleFor(...asked: Parameters<Ability<Asked, MongoQuery>['relevantRuleFor']>) {
    const [, row] = asked
    return typeof row === 'object' && typeOfRow.has(row) ? super.relevantRuleFor(...asked) : null
  }
}

/**
 * The rules of a principal at a time.
 *
 * @param attributes the principal's attributes, id included, as a request carries them
 * @throws RequestError TWR_REQUEST_INVALID when an attribute is not of its declared type
 */
export function abilityFor(
  bundle: Bundle,
  attributes: Readonly<Record<string, unknown>>,
  now: Now
): RowAbility {
  const { id, ...properties } = attributes
  const request = { action: { name: 'read' }, resource: { type: '', id: '' } }
  const principal = principalOf(bundle, {
    ...request,
    subject: { type: 'user', id: id as string, properties }
  })
  return new RowAbility(caslRules(bundle, valuesOf(principal), now))
}

/**
 * A row in canonical form, for an ability.
 *
 * @throws RequestError TWR_REQUEST_INVALID when the type is unknown or a column is not of its declared type
 */
export function abilityRow(
  bundle: Bundle,
  type: string,
  attributes: Readonly<Record<string, unknown>>
): AbilityRow {
  const resource = resourceOf(bundle, type)
  if (resource === undefined) throw new RequestError('TWR_REQUEST_INVALID', 400, `no resource type ${type}`)
  const id = (attributes['id'] ?? '') as string
  const request = { subject: { type: 'user', id: '' }, action: { name: 'read' } }
  const row = valuesOf(rowOf(resource, { ...request, resource: { type, id, properties: attributes } }))
  typeOfRow.set(row, type)
  return deepFreeze(row)
}

function valuesOf(made: Canonicalised): Values {
  if (!made.ok) throw new RequestError('TWR_REQUEST_INVALID', 400, made.reason)
  return made.values
}
