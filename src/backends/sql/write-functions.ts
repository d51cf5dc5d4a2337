import type { Bundle, Resource, Through } from '../../ir/model.js'
import { type Fragment, id, join, lit, sql } from './fragment.js'
import type { FunctionSpec, Parameter } from './function.js'
import { ROLES } from './names.js'
import { appRoles } from './roles.js'

/**
 * The functions that do for applications what UPDATE or DELETE is not granted for. Each runs as an owner that may do
 * this alone, under policies made from the rules of the caller's role, so each can do what the rules allow and nothing
 * else. They answer whether there was such a row.
 */
export function writeFunctions(bundle: Bundle): readonly FunctionSpec[] {
  return ID_TYPES.flatMap(({ kinds, type }) => {
    const resources = bundle.resources.filter(
      ({ table, columns }) =>
        table !== null && columns.some(one => one.name === 'id' && kinds.includes(one.type.kind))
    )
    const through = (what: Through) =>
      resources.filter(({ columnRules }) => columnRules.some(rule => rule.through === what))
    const make = (spec: WriteSpec): readonly FunctionSpec[] => writeFunction(spec, type, appRoles(bundle))
    return [
      ...make({ ...SOFT_DELETE, resources: resources.filter(({ softDelete }) => softDelete !== null) }),
      ...make({ ...REMOVE, resources: resources.filter(({ deleteThrough }) => deleteThrough === 'remove') }),
      ...make({ ...SHARE, resources: through('share') }),
      ...make({ ...UNSHARE, resources: through('share') }),
      ...make({ ...SHARE_GLOBALLY, resources: through('share').filter(hasGlobal) }),
      ...make({ ...TRANSFER, resources: through('transfer') })
    ]
  })
}

/** Resources are told apart by the type of their ids: PostgreSQL picks the function by the type of the argument. */
const ID_TYPES = [
  { kinds: ['uuid'] as readonly string[], type: sql`uuid` },
  { kinds: ['int'] as readonly string[], type: sql`bigint` },
  { kinds: ['text', 'enum'] as readonly string[], type: sql`text` }
]

interface WriteSpec {
  readonly name: string
  readonly owner: string
  readonly resources: readonly Resource[]
  readonly more: readonly Parameter[]
  /** What is checked before anything is written. */
  readonly first?: Fragment
  /** What an UPDATE sets, null for a DELETE, and what must hold of the row beside its id. */
  readonly set: ((resource: Resource) => Fragment) | null
  readonly where?: (resource: Resource) => Fragment
}

type Template = Omit<WriteSpec, 'resources'>

function writeFunction(
  { name, owner, resources, more, first, set, where }: WriteSpec,
  idType: Fragment,
  callers: readonly string[]
): readonly FunctionSpec[] {
  if (resources.length === 0) return []
  const cases = resources.map(
    resource => sql`    WHEN ${lit(resource.name)} THEN
      ${statement(resource, set)}
      WHERE "id" = $2${where === undefined ? sql`` : sql` AND ${where(resource)}`};`
  )
  return [
    {
      name,
      parameters: [
        { name: 'resource_type', type: sql`text` },
        { name: 'resource_id', type: idType },
        ...more
      ],
      returns: sql`boolean`,
      volatility: 'VOLATILE',
      security: 'DEFINER',
      owner,
      callers,
      derived: true,
      // the parameters are read by number: a column may have one of their names
      body: sql`#variable_conflict use_column
DECLARE
  changed bigint;
BEGIN
${first === undefined ? sql`` : sql`  ${first}\n`}  CASE $1
${join(cases, '\n')}
    ELSE RETURN false;
  END CASE;
  GET DIAGNOSTICS changed = ROW_COUNT;
  RETURN changed > 0;
END`
    }
  ]
}

function statement(resource: Resource, set: WriteSpec['set']): Fragment {
  const table = id(resource.table ?? '')
  return set === null ? sql`DELETE FROM public.${table}` : sql`UPDATE public.${table} SET${set(resource)}`
}

const REMOVE: Template = { name: 'remove', owner: ROLES.remover, more: [], set: null }

const SOFT_DELETE: Template = {
  name: 'soft_delete',
  owner: ROLES.remover,
  more: [],
  set: ({ softDelete }) => sql` ${id(softDelete ?? '')} = now()`,
  where: ({ softDelete }) => sql`${id(softDelete ?? '')} IS NULL`
}

const TENANT = (name: string): Parameter => ({ name, type: sql`uuid` })
const NOT_NULL = sql`IF $3 IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the tenant is null';
  END IF;`

/** Who a row is shared with now. The list of a row that is not shared says nothing: it may be of long ago. */
const SHARED = sql`CASE WHEN "is_shared" AND "sharing_mode" IN ('selective', 'global') THEN COALESCE("shared_with", '{}') ELSE '{}' END`

const SHARE: Template = {
  name: 'share',
  owner: ROLES.sharer,
  more: [TENANT('with_tenant')],
  first: NOT_NULL,
  set: () => sql`
        "shared_with" = array_append(array_remove(${SHARED}, $3), $3),
        "sharing_mode" = CASE WHEN "is_shared" AND "sharing_mode" = 'global' THEN 'global' ELSE 'selective' END,
        "is_shared" = true`
}

const LEFT = sql`CASE WHEN $3 IS NOT NULL THEN array_remove(${SHARED}, $3) ELSE '{}' END`
const STAYS = sql`$3 IS NOT NULL AND "is_shared" AND ("sharing_mode" = 'global' OR cardinality(${LEFT}) > 0)`

const UNSHARE: Template = {
  name: 'unshare',
  owner: ROLES.sharer,
  more: [{ ...TENANT('with_tenant'), fallback: sql`NULL` }],
  set: () => sql`
        "shared_with" = ${LEFT},
        "sharing_mode" = CASE WHEN ${STAYS} THEN "sharing_mode" ELSE 'private' END,
        "is_shared" = COALESCE(${STAYS}, false)`
}

const SHARE_GLOBALLY: Template = {
  name: 'share_globally',
  owner: ROLES.sharer,
  more: [],
  set: () => sql` "is_shared" = true, "sharing_mode" = 'global'`
}

const TRANSFER: Template = {
  name: 'transfer',
  owner: ROLES.sharer,
  more: [TENANT('to_tenant')],
  first: NOT_NULL,
  set: () => sql` "tenant_id" = $3`
}

function hasGlobal({ columns }: Resource): boolean {
  const mode = columns.find(({ name }) => name === 'sharing_mode')?.type
  return mode?.kind === 'text' || (mode?.kind === 'enum' && mode.labels.includes('global'))
}
