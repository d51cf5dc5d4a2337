import type { Bundle } from '../../ir/model.js'
import { catalogCheck, checkRows } from './checks.js'
import { guardedColumns } from './column-guards.js'
import { sql } from './fragment.js'
import type { SqlObject } from './object.js'

/**
 * What must hold of partitioned tables, where updates of some columns are judged by a trigger. An UPDATE that moves a
 * row to another partition is a DELETE and an INSERT to PostgreSQL, which runs no AFTER UPDATE trigger for it; nor does
 * it run a table's triggers for the rows of tables that inherit from it.
 *
 * @see PostgreSQL manual, CREATE TRIGGER, Notes, and 5.11 Inheritance
 */
export function partitionChecks(bundle: Bundle): readonly SqlObject[] {
  const guarded = bundle.resources.flatMap(resource => {
    const { name, table, immutable } = resource
    if (table === null || guardedColumns(resource).length === 0) return []
    return [[name, table, immutable.join(' ')]]
  })
  if (guarded.length === 0) return []
  return [
    catalogCheck(
      'partitions',
      // safety: a row that moves past the trigger changes in columns that nobody may change
      sql`FOREACH wanted SLICE 1 IN ARRAY ${checkRows(guarded)} LOOP
    SELECT string_agg(format('%s by %s', p.partrelid::regclass, pg_catalog.pg_get_partkeydef(p.partrelid)), ', ') INTO actual
    FROM pg_catalog.pg_partition_tree(format('public.%I', wanted[2])::regclass) AS t
      JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = t.relid
    WHERE EXISTS (
      SELECT FROM unnest(p.partattrs::int2[]) AS k (n)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = k.n
      WHERE a.attname IS NULL OR a.attname <> ALL (string_to_array(wanted[3], ' '))
    );
    IF actual IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('public.%s is partitioned by what updates may change (%s): they would move rows past the guard of the columns', wanted[2], actual),
        HINT = format('partition it by columns that are immutable in the resource %s, or declare them so', wanted[1]);
    END IF;
    SELECT string_agg(i.inhrelid::regclass::text, ', ') INTO actual
    FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('public.%I', wanted[2])::regclass AND NOT c.relispartition;
    IF actual IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('tables inherit from public.%s (%s): updates would change their rows without the guard of the columns', wanted[2], actual),
        HINT = 'make them partitions, or take them out with ALTER TABLE ... NO INHERIT';
    END IF;
  END LOOP;`
    )
  ]
}
