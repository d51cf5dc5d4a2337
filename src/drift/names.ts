import { PUBLIC } from '../prove/read-grant.js'
import { kindOf, listOf, nameOf, textOf, treeOf } from '../prove/tree.js'

/** PostgreSQL's own words for types that its parser and its catalog call by short names. */
const LONG: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  varchar: 'character varying',
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
  float8: 'double precision'
}

/** A type as the catalog spells it. */
export function spelledType(node: unknown): string {
  const { names, arrayBounds } = treeOf(node, 'a type')
  const [first = '', ...rest] = nameOf(names)
  const name = first === 'pg_catalog' ? rest.join('.') : [first, ...rest].join('.')
  return `${LONG[name] ?? name}${listOf(arrayBounds)
    .map(() => '[]')
    .join('')}`
}

/** A relation as snapshots call it. */
export function relationName(node: unknown): string {
  const { schemaname, relname } = treeOf(node, 'a relation')
  return `${textOf(schemaname) || 'public'}.${textOf(relname)}`
}

/** A function as snapshots call it. */
export function functionName(name: unknown, types: readonly string[]): string {
  return `${nameOf(name).join('.')}(${types.join(', ')})`
}

/** A role, null where the statement names it by what the session is. PUBLIC is none of them and called so. */
export function roleName(node: unknown): string | null {
  const { roletype, rolename } = kindOf(node)[1]
  if (roletype === 'ROLESPEC_PUBLIC') return PUBLIC
  return roletype === 'ROLESPEC_CSTRING' ? textOf(rolename) : null
}
