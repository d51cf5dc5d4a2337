import type { ClientBase, QueryResult } from 'pg'
import { type Fragment, join, lit, sql } from '../../backends/sql/fragment.js'

/** A column as it is. */
export interface LiveColumn {
  readonly name: string
  /** In the catalog's words, without a length: `character varying`, `uuid[]`. */
  readonly type: string
  /** What a domain is made of; null for everything else. */
  readonly domainOf: string | null
  readonly notNull: boolean
  /** The name of a collation under which different texts may be equal; null for all others. */
  readonly looseCollation: string | null
  /** The labels of an enum type or of an array of one; null for everything else. */
  readonly labels: readonly string[] | null
}

/** An index as it is. */
export interface LiveIndex {
  /** The key columns in their order; null for an expression. */
  readonly columns: readonly (string | null)[]
  readonly method: string
  readonly unique: boolean
  /** Whether it is complete, and holds every row. */
  readonly whole: boolean
}

/** A CHECK constraint over one column. */
export interface LiveCheck {
  readonly column: string
  readonly expression: string
  /** False for one that older rows need not keep. */
  readonly validated: boolean
}

/** A foreign key as it is. */
export interface LiveReference {
  readonly columns: readonly string[]
  /** The table of schema public that it refers to; null for one elsewhere. */
  readonly table: string | null
}

/** A relation of schema public as it is. */
export interface LiveTable {
  readonly name: string
  /** PostgreSQL's letter: r and p are tables. */
  readonly relation: string
  readonly columns: readonly LiveColumn[]
  readonly indexes: readonly LiveIndex[]
  readonly checks: readonly LiveCheck[]
  readonly references: readonly LiveReference[]
}

const COLUMNS = sql`SELECT jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL), 'notNull', a.attnotnull,
    'domainOf', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, NULL) END,
    'looseCollation', (SELECT l.collname FROM pg_collation AS l WHERE l.oid = a.attcollation AND NOT l.collisdeterministic),
    'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e
      WHERE e.enumtypid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END)) AS entry
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

const INDEXES = sql`SELECT jsonb_build_object('method', m.amname, 'unique', i.indisunique,
    'whole', i.indisvalid AND i.indisready AND i.indislive AND i.indpred IS NULL,
    'columns', (SELECT jsonb_agg(a.attname ORDER BY k.place)
      FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
        LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
      WHERE k.place <= i.indnkeyatts)) AS entry
  FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
  WHERE i.indrelid = c.oid`

const CHECKS = sql`SELECT jsonb_build_object('column', a.attname, 'expression', pg_get_expr(k.conbin, k.conrelid),
    'validated', k.convalidated) AS entry
  FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
  WHERE k.conrelid = c.oid AND k.contype = 'c' AND array_length(k.conkey, 1) = 1`

const REFERENCES = sql`SELECT jsonb_build_object(
    'columns', (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
      JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number),
    'table', (SELECT r.relname FROM pg_class AS r WHERE r.oid = f.confrelid AND r.relnamespace = 'public'::regnamespace)) AS entry
  FROM pg_constraint AS f WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0`

const list = (entries: Fragment) => sql`(SELECT COALESCE(jsonb_agg(entry), '[]') FROM (${entries}) AS listed)`

/**
 * The relations of these names in schema public. Any login may ask.
 *
 * @throws whatever the server or the connection throws
 */
export async function readTables(
  client: ClientBase,
  names: readonly string[]
): Promise<readonly LiveTable[]> {
  if (names.length === 0) return []
  const text = sql`SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL quote_all_identifiers = off;
SELECT c.relname AS name, c.relkind AS relation, ${list(COLUMNS)} AS columns, ${list(INDEXES)} AS indexes, ${list(CHECKS)} AS checks,
  ${list(REFERENCES)} AS "references"
FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN (${join(names.map(lit), ', ')})
  AND c.relkind NOT IN ('i', 'I', 't', 'S', 'c')`
  // several statements have several results, which the types of pg do not know
  const results = (await client.query(String(text))) as unknown as readonly QueryResult<LiveTable>[]
  return results.at(-1)?.rows ?? []
}
