import type { Relation } from '../../ir/formula.js'
import type { Bundle } from '../../ir/model.js'
import { dollar, id, join, lit, sql } from './fragment.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'

/** A relation to a table that is no resource of the policy, and the resource that declares it. */
export interface PlainRelation {
  readonly resource: string
  readonly relation: Relation
  readonly table: string
}

/** The relations that lead to plain tables. */
export function plainRelations(bundle: Bundle): readonly PlainRelation[] {
  const managed = new Set(bundle.resources.map(({ table }) => table))
  return bundle.resources.flatMap(({ name, relations }) =>
    relations.flatMap(relation =>
      relation.table === null || managed.has(relation.table)
        ? []
        : [{ resource: name, relation, table: relation.table }]
    )
  )
}

/**
 * Lets policies and facts read the columns that relations lead to. Row-level security of the other table stays as it
 * is: a resource that a role may not read stays empty for it, where without the grant every statement would fail.
 */
export function relatedObjects(bundle: Bundle, readers: readonly string[]): readonly SqlObject[] {
  const columns = new Map<string, Set<string>>()
  for (const relation of bundle.resources.flatMap(({ relations }) => relations)) {
    if (relation.table === null) continue
    const known = columns.get(relation.table) ?? new Set()
    columns.set(relation.table, known)
    for (const { name } of relation.columns) known.add(name)
  }
  const plain = new Set(plainRelations(bundle).map(({ table }) => table))
  return [...columns].flatMap(([table, names]) =>
    [...readers, ROLES.facts].map((role): SqlObject => {
      const target = sql`public.${id(table)}`
      const grant = sql`GRANT SELECT (${join([...names].sort().map(id), ', ')}) ON ${target} TO ${id(role)};`
      // a managed table has grants of its own, which take back first what it had
      const revoke = sql`REVOKE ALL ON ${target} FROM ${id(role)};`
      return {
        kind: 'grant',
        // one for each role, so that it ends when the role leaves the policy
        name: `${table} related ${role}`,
        table,
        up: plain.has(table) ? join([revoke, grant], '\n') : grant,
        down: revoke
      }
    })
  )
}

const REMEMBERED = sql`${id(SCHEMA)}.related_tables`

/**
 * Takes back what this and earlier revisions granted on plain tables, before the grants of this one: a grant by itself
 * does not end when a relation or a column leaves the policy. Only tables that a policy named are touched.
 */
export function forgetRelated(bundle: Bundle, readers: readonly string[]): SqlObject {
  const roles = String(join([...readers, ROLES.facts].map(id), ', '))
  const tables = [...new Set(plainRelations(bundle).map(({ table }) => table))].sort()
  const remember = tables.map(
    table => sql`INSERT INTO ${REMEMBERED} VALUES (${lit(table)}) ON CONFLICT DO NOTHING;`
  )
  const body = sql`DECLARE
  old text;
BEGIN
  FOR old IN SELECT table_name FROM ${REMEMBERED} LOOP
    IF to_regclass(format('public.%I', old)) IS NOT NULL THEN
      EXECUTE format('REVOKE ALL ON public.%I FROM %s', old, ${lit(roles)});
    END IF;
  END LOOP;
END`
  return {
    kind: 'state',
    name: 'related tables',
    table: null,
    revokes: tables,
    up: join(
      [
        sql`CREATE TABLE IF NOT EXISTS ${REMEMBERED} (table_name text PRIMARY KEY);
REVOKE ALL ON ${REMEMBERED} FROM PUBLIC;`,
        ...remember,
        sql`DO ${dollar(body)};`,
        tables.length > 0
          ? sql`DELETE FROM ${REMEMBERED} WHERE table_name NOT IN (${join(tables.map(lit), ', ')});`
          : sql`DELETE FROM ${REMEMBERED};`
      ],
      '\n'
    ),
    down: sql`DROP TABLE IF EXISTS ${REMEMBERED};`
  }
}
